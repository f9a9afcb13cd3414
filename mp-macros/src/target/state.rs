//! What stays in a process: the state of a pool's worker, which a target's first argument can lend and `worker_state` makes, and
//! what `preload` makes.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{
    FnArg, GenericArgument, PathArguments, ReturnType, Signature, Type, TypePath, TypeReference, spanned::Spanned,
};

use crate::{
    args::Maker,
    render::render,
    report::Report,
    returns::Returns,
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

/// Reports why the result cannot be kept.
pub(super) fn check_made(maker: Maker, sig: &Signature, report: &mut Report) {
    const REMEDY: &str = "return what the worker is to keep";
    let ReturnType::Type(_, ty) = &sig.output else {
        // What it has made may be anywhere else in memory.
        if maker == Maker::WorkerState {
            report
                .error(&sig.ident, format_args!("a function that makes the state of a worker has a result; {REMEDY}"));
        }
        return;
    };
    if let Some([_, error]) = result(ty).as_deref()
        && let Type::ImplTrait(_) = plain(error)
    {
        report.error(error, "`impl Trait` hides the type of the error; return a named type");
    }
    let state = Made::of(&sig.output).state;
    match (Returns::of_type(&state), plain(&state)) {
        (Returns::Never, _) if maker == Maker::Preload => {
            report.error(
                &state,
                "no process is forked behind a function that never returns; return what they are to find",
            );
        }
        (Returns::ExitCode, _) if maker == Maker::Preload => {
            report.error(&state, "an exit code says nothing to processes that are forked; return `Result<…, String>`");
        }
        (_, Type::Tuple(tuple)) if tuple.elems.is_empty() && maker == Maker::Preload => {}
        (_, _) if maker == Maker::Preload => types::check(&state, Place::PRELOADED, report),
        (Returns::Never, _) => {
            report.error(&state, format_args!("a function that never returns makes no state of a worker; {REMEDY}"));
        }
        (Returns::ExitCode, _) => {
            report
                .error(&state, format_args!("an exit code is no state of a worker; {REMEDY}, or `Result<…, String>`"));
        }
        (_, Type::Tuple(tuple)) if tuple.elems.is_empty() => {
            report.error(&state, format_args!("`()` is no state of a worker; {REMEDY}"));
        }
        _ => types::check(&state, Place::MADE_STATE, report),
    }
}

/// What a function with `worker_state` or `preload` makes.
pub(super) struct Made {
    pub(super) state: Type,
    /// Where the function can fail: the place of the error's type, or of what hides it.
    error: Option<Span>,
}

impl Made {
    /// Takes the result apart: of a `Result` it is the value that is kept.
    pub(super) fn of(output: &ReturnType) -> Self {
        let ReturnType::Type(_, ty) = output else {
            return Self { state: syn::parse_quote!(()), error: None };
        };
        match result(ty).as_deref() {
            Some([state]) => Self { state: (*state).clone(), error: Some(ty.span()) },
            Some([state, error]) => Self { state: (*state).clone(), error: Some(error.span()) },
            _ => Self { state: (**ty).clone(), error: None },
        }
    }

    /// The body of `StateTarget::build` or `PreloadTarget::load`, where `call` calls the user's function. The error becomes text at the
    /// place of its type, where the compiler then speaks of one that has no text.
    pub(super) fn outcome(&self, call: &TokenStream) -> TokenStream {
        match self.error {
            None => quote!(::core::result::Result::Ok(#call)),
            Some(error) => {
                let text = quote_spanned!(error=> |__error| ::std::string::ToString::to_string(&__error));
                quote!(::core::result::Result::map_err(#call, #text))
            }
        }
    }
}

/// The type arguments of a `Result`, however it is reached.
fn result(ty: &Type) -> Option<Vec<&Type>> {
    let Type::Path(TypePath { qself: None, path, .. }) = plain(ty) else { return None };
    let last = path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments
        .args
        .iter()
        .map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}
