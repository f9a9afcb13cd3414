//! What a function becomes: a static of its name, of a hidden type that has the body as an associated function
//! and the traits that make it a target.
//!
//! A unit struct of the function's name would do with one item less, but clippy takes a call of it, `work(3);`,
//! for a value that is thrown away, a `let` of its name is a confusing type error, and it stands in the way of
//! a module of the same name.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ImplItemFn, Visibility, ext::IdentExt};

use super::{implement, parse::Function};
use crate::names::Names;

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

/// The value that has the function's name, docs and visibility, and its type. They stand at the place that the
/// compiler is to show where it speaks of them: the value at the function, the type where its role is told.
fn value(function: &Function) -> TokenStream {
    let Function { item, attributes, signature, .. } = function;
    let (cfg, docs, more) = (&attributes.cfg, &attributes.docs, &attributes.target);
    let gap = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
    let shown = format!("*Process target:* `{signature}`");
    let (vis, name, ty) = (&item.vis, &item.sig.ident, type_name(function));
    let span = item.sig.fn_token.span;
    let structure = quote_spanned!(function.role_span()=> struct #ty {});
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

/// The user's function, inside an `impl`: in it the name of the function means the target. What is allowed there is
/// where clippy would ask for what no target can be.
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
        #[allow(clippy::needless_pass_by_value, clippy::missing_const_for_fn, clippy::ptr_arg)]
        impl #ty {
            #body
        }
    }
}

/// What makes the type a function, and a target.
fn traits(function: &Function, names: &Names) -> TokenStream {
    let Function { item, types, .. } = function;
    let (name, returned) = (&item.sig.ident, &item.sig.output);
    let ty = type_name(function);
    let shown = name.unraw().to_string();
    let pointer = quote_spanned!(function.place()=> type Target = fn(#(#types),*) #returned;);
    let target = implement::implement(function, &ty, names);
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

        #target
    }
}
