//! What a function must be so that a child can run it by name.

use syn::{FnArg, ItemFn, Pat, PatType, ReturnType, Type};

use super::state;
use crate::{
    args::{Args, Maker},
    attributes,
    report::Report,
    signature,
    types::{self, Place, plain},
};

/// As many as serde writes and reads in one tuple.
const MOST_ARGUMENTS: usize = 16;

/// Reports everything that keeps `item` from being a target.
pub(super) fn check(item: &ItemFn, args: &Args, report: &mut Report) {
    let sig = &item.sig;
    if sig.ident == "main" {
        report.error(
            &sig.ident,
            "`main` cannot be a process target: the program starts with it; annotate a function that it calls",
        );
    }
    signature::check(sig, report);
    let maker = args.maker.as_ref().map(|(maker, _)| *maker);
    for (at, input) in sig.inputs.iter().enumerate() {
        match input {
            FnArg::Receiver(receiver) => report.error(
                receiver,
                "a process target takes no `self`; annotate a function outside the `impl`, or `impl Job` with `fn run(self)`",
            ),
            FnArg::Typed(argument) => {
                check_pattern(item, argument, report);
                check_type(item, at, &argument.ty, maker, report);
            }
        }
    }
    let states = usize::from(state::lent(sig).is_some());
    if let Some(extra) = sig.inputs.iter().nth(states + MOST_ARGUMENTS) {
        report.error(
            extra,
            format_args!("a process target takes up to {MOST_ARGUMENTS} arguments; make them the fields of a struct, and annotate `impl Job` for it"),
        );
    }
    if let Some(maker) = maker {
        state::check_made(maker, sig, report);
    } else if let ReturnType::Type(_, ty) = &sig.output {
        types::check(ty, Place::RESULT, report);
    }
}

fn check_pattern(item: &ItemFn, argument: &PatType, report: &mut Report) {
    if let Some(cfg) = attributes::cfg(&argument.attrs).next() {
        report.error(cfg, "an argument of a process target is there in every build; put the `#[cfg]` on the function");
    }
    if let Pat::Ident(pattern) = &*argument.pat
        && pattern.ident == item.sig.ident
    {
        report.error(&pattern.ident, "an argument cannot have the name of its process target; rename one of them");
    }
}

/// The type of the argument at that place in the list.
fn check_type(item: &ItemFn, at: usize, ty: &Type, maker: Option<Maker>, report: &mut Report) {
    match plain(ty) {
        Type::Reference(reference) if at == 0 && reference.mutability.is_some() => match maker {
            Some(Maker::WorkerState) => {
                report.error(ty, "a worker has no state before this function has made it; take owned arguments");
            }
            Some(Maker::Preload) => {
                report.error(ty, "there is no worker whose state this function could be lent; take owned arguments");
            }
            None => state::check_lent(reference, report),
        },
        Type::Reference(reference) if maker.is_none() => report.error(ty, state::not_lent(&item.sig, at, reference)),
        _ => types::check(ty, Place::ARGUMENT, report),
    }
}
