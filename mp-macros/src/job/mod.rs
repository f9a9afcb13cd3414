//! An `impl` whose `run` becomes a target: `parse` finds `run`, `check` says what is wrong, `expand` writes
//! what is added.

mod check;
mod expand;
mod parse;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ItemImpl;

use self::parse::Job;
use crate::{args::Args, attributes, names::Names, report::Report};

/// Expands `impl Job for …` or an inherent `impl`, or gives it back unchanged where it cannot be a job.
pub(crate) fn expand(mut item: ItemImpl, args: &Args, names: &Names, report: &mut Report) -> TokenStream {
    attributes::take_repeated(&mut item.attrs, report);
    if report.clean(|report| check::check(&item, args, report))
        && let Some(job) = Job::parse(&item)
    {
        expand::expand(item, &job, names)
    } else {
        fallback(item)
    }
}

/// The user's code as it was. An `impl Job` without its `Output` loses the trait, which the compiler would
/// find incomplete.
fn fallback(mut item: ItemImpl) -> TokenStream {
    if check::is_of_job(&item) && parse::output(&item).is_none() {
        item.trait_ = None;
        return quote!(#[allow(dead_code)] #item);
    }
    item.into_token_stream()
}
