//! What a function must be so that a child can run it by name.

use syn::{FnArg, ItemFn, Pat, PatType, ReturnType};

use crate::{
    report::Report,
    signature,
    types::{self, Place},
};

/// As many as serde writes and reads in one tuple.
const MOST_ARGUMENTS: usize = 16;

/// Reports everything that keeps `item` from being a target.
pub(super) fn check(item: &ItemFn, report: &mut Report) {
    let sig = &item.sig;
    if sig.ident == "main" {
        report.error(
            &sig.ident,
            "`main` cannot be a process target: the program starts with it; annotate a function that it calls",
        );
    }
    signature::check(sig, report);
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) => report.error(
                receiver,
                "a process target takes no `self`; annotate a function outside the `impl`, or `impl Job` with `fn run(self)`",
            ),
            FnArg::Typed(argument) => check_argument(item, argument, report),
        }
    }
    if let Some(extra) = sig.inputs.iter().nth(MOST_ARGUMENTS) {
        report.error(
            extra,
            format_args!("a process target takes up to {MOST_ARGUMENTS} arguments; make them the fields of a struct, and annotate `impl Job` for it"),
        );
    }
    if let ReturnType::Type(_, ty) = &sig.output {
        types::check(ty, Place::RESULT, report);
    }
}

fn check_argument(item: &ItemFn, argument: &PatType, report: &mut Report) {
    if let Some(cfg) = crate::attributes::cfg(&argument.attrs).next() {
        report.error(cfg, "an argument of a process target is there in every build; put the `#[cfg]` on the function");
    }
    if let Pat::Ident(pattern) = &*argument.pat
        && pattern.ident == item.sig.ident
    {
        report.error(&pattern.ident, "an argument cannot have the name of its process target; rename one of them");
    }
    types::check(&argument.ty, Place::ARGUMENT, report);
}
