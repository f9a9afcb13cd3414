//! What a function becomes: a static of its name, of a hidden type that has the body as an associated function
//! and the traits that make it a target.
//!
//! A unit struct of the function's name would do with one item less, but clippy takes a call of it, `work(3);`,
//! for a value that is thrown away, a `let` of its name is a confusing type error, and it stands in the way of
//! a module of the same name.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ImplItemFn, Visibility, ext::IdentExt, spanned::Spanned};

use super::parse::Function;
use crate::{names::Names, types};

/// Writes the type, and what it can do.
pub(super) fn expand(function: &Function, names: &Names) -> TokenStream {
    let (target, body, traits) = (value(function), body(function), traits(function, names));
    let attributes = &function.attributes;
    let cfg = &attributes.cfg;
    let deprecated = attributes.deprecated.then(|| quote!(#[allow(deprecated)]));
    quote! {
        #target

        #(#cfg)*
        #deprecated
        #body

        #(#cfg)*
        #deprecated
        const _: () = {
            #traits
        };
    }
}

/// The hidden type of the function's target.
fn type_name(function: &Function) -> Ident {
    format_ident!("__{}", function.item.sig.ident.unraw())
}

/// The value that has the function's name, docs and visibility, and its type. They stand at the function's
/// place, which the compiler shows where it speaks of them.
fn value(function: &Function) -> TokenStream {
    let Function { item, attributes, signature, .. } = function;
    let (cfg, docs, more) = (&attributes.cfg, &attributes.docs, &attributes.target);
    let gap = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
    let shown = format!("*Process target:* `{signature}`");
    let (vis, name, ty) = (&item.vis, &item.sig.ident, type_name(function));
    let span = item.sig.fn_token.span;
    let structure = quote_spanned!(span=> struct #ty {});
    let value = quote_spanned!(span=> static #name: #ty = #ty {};);
    quote! {
        #(#cfg)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, unreachable_pub, unnameable_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy)]
        #vis #structure

        #(#cfg)*
        #(#docs)*
        #gap
        #[doc = #shown]
        #(#more)*
        #[allow(non_upper_case_globals, dead_code)]
        #vis #value
    }
}

/// The user's function, inside an `impl`: in it the name of the function means the target.
fn body(function: &Function) -> TokenStream {
    let Function { item, attributes, .. } = function;
    let ty = type_name(function);
    let body = ImplItemFn {
        attrs: attributes.body.clone(),
        vis: Visibility::Inherited,
        modifiers: item.modifiers.clone(),
        sig: item.sig.clone(),
        block: (*item.block).clone(),
    };
    quote! {
        #[allow(clippy::needless_pass_by_value)]
        impl #ty {
            #body
        }
    }
}

/// What makes the type a function and a target, and the row in the table.
fn traits(function: &Function, names: &Names) -> TokenStream {
    let Function { item, types, .. } = function;
    let (name, returned) = (&item.sig.ident, &item.sig.output);
    let ty = type_name(function);
    let (private, id, entry) = (&names.private, names.id(name), names.entry(&quote!(#ty)));
    let shown = name.unraw().to_string();
    let arguments: Vec<_> = (0..types.len()).map(|at| format_ident!("__argument{at}")).collect();
    let place = sent(function);
    let args = quote_spanned!(place=> type Args = (#(#types,)*););
    let pointer = quote_spanned!(place=> type Target = fn(#(#types),*) #returned;);
    let output = function.returns.output(private);
    let output = quote_spanned!(output.span()=> type Output = #output;);
    let call = function.returns.outcome(&quote!(Self::#name(#(#arguments),*)));
    quote! {
        #[automatically_derived]
        impl ::core::ops::Deref for #ty {
            #pointer

            #[inline]
            fn deref(&self) -> &Self::Target {
                &(Self::#name as Self::Target)
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Debug for #ty {
            fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __formatter.write_str(#shown)
            }
        }

        #[automatically_derived]
        impl #private::Target for #ty {
            #args
            #output
            const ID: #private::TargetId = #id;

            fn call((#(#arguments,)*): Self::Args) -> ::core::result::Result<Self::Output, ::std::process::ExitCode> {
                #call
            }
        }

        #entry
    }
}

/// The place of what is to be sent. The compiler checks the arguments once, as one tuple, and points to all
/// of it. So the tuple stands where the one argument is that is not a plain number or string; if there are
/// several of them, or none, it stands where the whole list is.
fn sent(function: &Function) -> Span {
    let mut doubtful = function.types.iter().filter(|ty| !types::is_scalar(ty));
    match (doubtful.next(), doubtful.next()) {
        (Some(only), None) => only.span(),
        _ => function.item.sig.paren_token.span.join(),
    }
}
