//! The names that generated code uses: the runtime's and std's, each by its full path, so that nothing the
//! user defines can stand in for them.
//!
//! What generated code binds has a name that begins with `__`, whatever its hygiene: a binding cannot have
//! the name of a static in scope, and every target is one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, ext::IdentExt};

use crate::args::Args;

/// Where the runtime is.
pub(crate) struct Names {
    /// `::multiprocess::__private`.
    pub(crate) private: TokenStream,
    name: Option<syn::LitStr>,
}

impl Names {
    /// The names as the options of the attribute have them.
    pub(crate) fn new(args: &Args) -> Self {
        let krate = &args.krate;
        Self { private: quote!(#krate::__private), name: args.name.clone() }
    }

    /// The identity of the target: its name, and the place of the attribute.
    pub(crate) fn id(&self, item: &Ident) -> TokenStream {
        let private = &self.private;
        let explicit = self.name.is_some();
        let name = match &self.name {
            Some(name) => quote!(#name),
            None => {
                let path = format!("::{}", item.unraw());
                quote!(::core::concat!(::core::module_path!(), #path))
            }
        };
        quote! {
            #private::TargetId::new(#name, #explicit, ::core::file!(), ::core::line!(), ::core::column!())
        }
    }

    /// The row of a target in the table that the linker fills; `row` is the constructor of `Entry`, `new::<…>`.
    pub(crate) fn entry(&self, row: &TokenStream) -> TokenStream {
        let private = &self.private;
        quote! {
            #private::inventory::submit! { #private::Entry::#row() }
        }
    }
}
