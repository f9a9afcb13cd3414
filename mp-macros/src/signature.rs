//! What no function that runs in a child may be, whether it stands alone or is a job's `run`.

use quote::quote;
use syn::{GenericParam, Safety, Signature};

use crate::report::Report;

/// Reports `const`, `async`, `unsafe`, `extern`, generics and `...`.
pub(crate) fn check(sig: &Signature, report: &mut Report) {
    if let Some(token) = sig.constness {
        report.error(token, "a process target is not `const`; remove it, or call a `const fn` from the target");
    }
    if let Some(token) = sig.asyncness {
        report.error(
            token,
            "a process target cannot be `async`; build a runtime inside it, or put the attribute that does, as `#[tokio::main]`, above `#[process_target]`",
        );
    }
    match &sig.safety {
        Safety::Unsafe(token) => {
            report.error(token, "a process target cannot be `unsafe`; write a safe function that calls the unsafe one")
        }
        Safety::Safe(token) => report.error(token, "`safe` is for foreign functions; remove it"),
        Safety::Default => {}
    }
    if let Some(abi) = &sig.abi {
        report.error(abi, "a process target is an ordinary Rust function; remove `extern`");
    }
    let generics = &sig.generics;
    if let (Some(open), Some(close)) = (generics.lt_token, generics.gt_token) {
        let params = &generics.params;
        let of_types = params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_)));
        let message = if of_types {
            "a process target cannot be generic: the child finds it by name; write one target for each type, and call the generic function from it"
        } else {
            "a process target has no lifetime parameters: it owns what it takes and returns; remove them"
        };
        report.error(quote!(#open #params #close), message);
    } else if let Some(clause) = &generics.where_clause {
        report.error(clause, "a process target has no type parameters that a `where` could be about; remove it");
    }
    if let Some(variadic) = &sig.variadic {
        report.error(variadic, "a process target takes a fixed number of arguments; take a `Vec`");
    }
}
