//! The trait that makes the type a target, and its row in the table.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::parse::Function;
use crate::names::Names;

/// Writes the `impl` for the type `ty` of the function's target, and the row.
pub(super) fn implement(function: &Function, ty: &Ident, names: &Names) -> TokenStream {
    let Function { item, types, returns, .. } = function;
    let (private, id, name) = (&names.private, names.id(&item.sig.ident), &item.sig.ident);
    let arguments: Vec<_> = (0..types.len()).map(|at| format_ident!("__argument{at}")).collect();
    let args = quote_spanned!(function.place()=> type Args = (#(#types,)*););
    let output = returns.output(private);
    let output = quote_spanned!(output.span()=> type Output = #output;);
    let call = returns.outcome(&quote!(Self::#name(#(#arguments),*)));
    let entry = names.entry(&quote!(new::<#ty>));
    quote! {
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
