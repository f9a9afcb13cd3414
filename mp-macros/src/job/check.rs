//! What an `impl` must be so that a child can run it by the name of its type.

use quote::quote;
use syn::{FnArg, ItemImpl, Receiver, ReceiverKind, ReturnType, Signature, Type, TypePath};

use super::parse;
use crate::{
    args::{Args, Maker},
    attributes,
    report::Report,
    signature,
    types::{self, Place, plain},
};

/// Reports everything that keeps `item` from being a job.
pub(super) fn check(item: &ItemImpl, args: &Args, report: &mut Report) {
    if let Some((maker, option)) = &args.maker {
        let made = match maker {
            Maker::WorkerState => "make the state of a worker",
            Maker::Preload => "be run before processes are forked",
        };
        report.error(option, format_args!("a job cannot {made}; write a function that does, and annotate it"));
    }
    check_header(item, report);
    let Some(run) = parse::run(item) else {
        report.error(&item.self_ty, "a job does its work in `fn run(self)`, and this `impl` has none; add it");
        return;
    };
    if let Some(cfg) = attributes::cfg(&run.attrs).next() {
        report.error(cfg, "a job has its `run` in every build; put the `#[cfg]` on the `impl`");
    }
    signature::check(&run.sig, report);
    check_inputs(&run.sig, report);
    if let Some(output) = parse::output(item) {
        types::check(output, Place::JOB_RESULT, report);
    } else if let ReturnType::Type(_, ty) = &run.sig.output {
        if is_own_output(ty) {
            report.error(
                ty,
                "the result of a job is read off its `run`; write the type itself here, or add `type Output = …;`",
            );
        } else {
            types::check(ty, Place::JOB_RESULT, report);
        }
    }
}

/// The trait, the type and the generics.
fn check_header(item: &ItemImpl, report: &mut Report) {
    if let Some((path, _)) = &item.trait_
        && !is_of_job(item)
    {
        report.error(path, "only the `Job` trait makes a job; write `impl Job for …`, or `impl …` without a trait");
    }
    let generics = &item.generics;
    if let (Some(open), Some(close)) = (generics.lt_token, generics.gt_token) {
        let params = &generics.params;
        report.error(
            quote!(#open #params #close),
            "a job cannot be generic: the child finds it by name; write one `impl` for each type, and call the generic function from it",
        );
    } else if let Some(clause) = &generics.where_clause {
        report.error(clause, "a job has no type parameters that a `where` could be about; remove it");
    }
    if parse::name(&item.self_ty).is_some() {
        types::check(&item.self_ty, Place::JOB, report);
    } else {
        report.error(
            &item.self_ty,
            "a job is a struct or an enum of your own, whose fields are the arguments; define one",
        );
    }
}

/// Whether it is an `impl Job for …`, by name.
pub(super) fn is_of_job(item: &ItemImpl) -> bool {
    let name = item.trait_.as_ref().and_then(|(path, _)| path.segments.last());
    name.is_some_and(|name| name.ident == "Job")
}

/// `self`, and nothing else.
fn check_inputs(sig: &Signature, report: &mut Report) {
    if sig.receiver().is_none() {
        report.error(&sig.ident, "the `run` of a job takes the job itself; write `fn run(self)`");
    }
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) if is_by_value(receiver) => {}
            FnArg::Receiver(receiver) => {
                report.error(receiver, "the child owns the job it was sent; write `self`, or `mut self`");
            }
            FnArg::Typed(argument) => {
                report.error(argument, "the fields of a job are its arguments; make this one a field")
            }
        }
    }
}

fn is_by_value(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Value => true,
        ReceiverKind::Typed(_, ty) => matches!(plain(ty), Type::Path(TypePath { path, .. }) if path.is_ident("Self")),
        _ => false,
    }
}

/// `Self::Output`.
fn is_own_output(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path, .. }) = plain(ty) else { return false };
    path.segments.iter().map(|segment| &segment.ident).eq(["Self", "Output"])
}
