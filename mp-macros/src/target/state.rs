//! The state of a pool's worker: a target's first argument can lend it.

use syn::{FnArg, Signature, Type, TypeReference};

use crate::{
    render::render,
    report::Report,
    types::{self, Place, plain},
};

/// The `&mut S` of the first argument.
pub(super) fn lent(sig: &Signature) -> Option<&TypeReference> {
    let Some(FnArg::Typed(first)) = sig.inputs.first() else { return None };
    match plain(&first.ty) {
        Type::Reference(reference) if reference.mutability.is_some() => Some(reference),
        _ => None,
    }
}

/// Reports why no worker can lend this.
pub(super) fn check_lent(reference: &TypeReference, report: &mut Report) {
    if let Some(lifetime) = &reference.lifetime
        && lifetime.ident != "_"
    {
        let state = render(&reference.elem);
        report.error(lifetime, format_args!("a worker lends its state for one call; write `&mut {state}`"));
    }
    types::check(&reference.elem, Place::STATE, report);
}

/// What to say of a borrowed argument that no worker lends, though it may be meant so.
pub(super) fn not_lent(sig: &Signature, at: usize, reference: &TypeReference) -> String {
    let remedy = types::remedy(reference, Place::ARGUMENT);
    let borrowed = types::borrowed(reference, Place::ARGUMENT);
    match (at, &reference.mutability) {
        (0, None) if types::is_sized_path(&reference.elem) => {
            format!("{borrowed}, or `&mut {}` as the state of a worker", render(&reference.elem))
        }
        (1.., Some(_)) if lent(sig).is_some() => format!("a worker has one state, the first argument; {remedy}"),
        (1.., Some(_)) => format!("only the first argument can be `&mut`, as the state of a worker; {remedy}"),
        _ => borrowed,
    }
}
