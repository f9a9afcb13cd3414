//! Takes the annotated item to the module that knows its kind.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::{Ident, Item};

use crate::{args::Args, job, names::Names, report::Report, target};

const WANTED: &str = "`#[process_target]` belongs on a function, or on an `impl` with `fn run(self)`";

/// Expands the attribute. Mistakes come first, then the item, whatever is wrong with it.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let args = Args::parse(args, &mut report);
    let names = Names::new(&args);
    let expanded = match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => target::expand(function, &args, &names, &mut report),
        Ok(Item::Impl(block)) => job::expand(block, &args, &names, &mut report),
        Ok(other) => {
            refuse(&other, &mut report);
            item
        }
        Err(error) => {
            report.push(error);
            item
        }
    };
    let errors = report.into_tokens();
    quote!(#errors #expanded)
}

/// Says what to annotate in place of `item`.
fn refuse(item: &Item, report: &mut Report) {
    match item {
        Item::Struct(item) => refuse_type(&item.ident, report),
        Item::Enum(item) => refuse_type(&item.ident, report),
        Item::Union(item) => refuse_type(&item.ident, report),
        Item::Trait(item) => report.error(
            &item.ident,
            format_args!("{WANTED}; a trait has no code of its own to run: annotate a function that calls it"),
        ),
        Item::Mod(item) => {
            report.error(&item.ident, format_args!("{WANTED}; annotate the functions in the module one by one"))
        }
        Item::ForeignMod(item) => {
            report.error(&item.abi, format_args!("{WANTED}; annotate a Rust function that calls the foreign one"))
        }
        Item::Verbatim(tokens) if has_fn(tokens) => {
            report.error(tokens, format_args!("{WANTED}; this one has no body: give it one"));
        }
        other => report.error(other, format_args!("{WANTED}; write one that uses this item")),
    }
}

fn refuse_type(name: &Ident, report: &mut Report) {
    report.error(
        name,
        format_args!("{WANTED}; to run `{name}` as a job, annotate `impl Job for {name} {{ fn run(self) {{ … }} }}`"),
    );
}

/// Whether this is a function without a body, which syn leaves as it is.
fn has_fn(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"))
}
