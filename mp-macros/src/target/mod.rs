//! A function that becomes a target: `parse` takes it apart, `check` says what is wrong with it, `expand`
//! writes what it becomes, with the trait of its role by `implement`; `state` knows the states of workers.

mod check;
mod expand;
mod implement;
mod parse;
mod state;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ItemFn;

use self::parse::Function;
use crate::{args::Args, attributes, names::Names, report::Report};

/// Expands a function, or gives it back unchanged where it cannot be a target.
pub(crate) fn expand(mut item: ItemFn, args: &Args, names: &Names, report: &mut Report) -> TokenStream {
    attributes::take_repeated(&mut item.attrs, report);
    if report.clean(|report| check::check(&item, args, report)) {
        expand::expand(&Function::parse(item, args), names)
    } else {
        item.into_token_stream()
    }
}
