//! What a target gives back: how a function's result becomes the value, or the exit code, of its child.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ReturnType, Type, TypePath};

use crate::types::plain;

/// What is returned, as far as the macro must know.
pub(crate) enum Returns {
    /// `-> !`.
    Never,
    /// `-> ExitCode`: the exit code of the child, and no value.
    ExitCode,
    /// A value; without `->`, the unit.
    Value(TokenStream),
}

impl Returns {
    /// Tells the kind by how it is written.
    pub(crate) fn of(output: &ReturnType) -> Self {
        match output {
            ReturnType::Default => Self::Value(quote!(())),
            ReturnType::Type(_, ty) => Self::of_type(ty),
        }
    }

    /// The same for a type.
    pub(crate) fn of_type(ty: &Type) -> Self {
        match plain(ty) {
            Type::Never(_) => Self::Never,
            Type::Path(TypePath { qself: None, path, .. })
                if path.segments.last().is_some_and(|last| last.ident == "ExitCode" && last.arguments.is_none()) =>
            {
                Self::ExitCode
            }
            _ => Self::Value(quote!(#ty)),
        }
    }

    /// `Target::Output`: what the parent gets.
    pub(crate) fn output(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Never => quote!(#private::Never),
            Self::ExitCode => quote!(()),
            Self::Value(ty) => ty.clone(),
        }
    }

    /// The body of `Target::call`, where `call` calls the user's function.
    pub(crate) fn outcome(&self, call: &TokenStream) -> TokenStream {
        match self {
            Self::Never => quote!(match #call {}),
            Self::ExitCode => quote! {
                let __code = #call;
                if __code == ::std::process::ExitCode::SUCCESS {
                    ::core::result::Result::Ok(())
                } else {
                    ::core::result::Result::Err(__code)
                }
            },
            Self::Value(_) => quote!(::core::result::Result::Ok(#call)),
        }
    }
}
