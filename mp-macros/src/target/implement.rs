//! The trait that makes the type a target, one for each role, and its row in the table.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, Type, spanned::Spanned};

use super::{
    parse::{Function, Role},
    state::Made,
};
use crate::{args::Maker, names::Names};

/// Writes the `impl` for the type `ty` of the function's target, and the row.
pub(super) fn implement(function: &Function, ty: &Ident, names: &Names) -> TokenStream {
    let target = Target::of(function, ty, names);
    let (implementation, row) = match &function.role {
        Role::Plain => (target.plain(), quote!(new::<#ty>)),
        Role::Stateful(state) => (target.stateful(state), quote!(stateful::<#ty, #state>)),
        Role::Maker(Maker::WorkerState, made, _) => (target.maker(made), quote!(state::<#ty>)),
        Role::Maker(Maker::Preload, made, _) => (target.preload(made), quote!(preload::<#ty>)),
    };
    let entry = names.entry(&row);
    quote! {
        #implementation

        #entry
    }
}

/// What the roles have in common.
struct Target<'a> {
    function: &'a Function,
    ty: &'a Ident,
    private: &'a TokenStream,
    /// `type Args = …; const ID: … = …;`
    common: TokenStream,
    /// The names of what is sent.
    arguments: Vec<Ident>,
}

impl<'a> Target<'a> {
    fn of(function: &'a Function, ty: &'a Ident, names: &'a Names) -> Self {
        let (private, id) = (&names.private, names.id(&function.item.sig.ident));
        let sent = function.sent();
        let args = quote_spanned!(function.place()=> type Args = (#(#sent,)*););
        let common = quote! {
            #args
            const ID: #private::TargetId = #id;
        };
        let arguments = (0..sent.len()).map(|at| format_ident!("__argument{at}")).collect();
        Self { function, ty, private, common, arguments }
    }

    /// `Target`: what any child runs.
    fn plain(&self) -> TokenStream {
        let Self { function, ty, private, common, arguments } = self;
        let (name, output) = (&function.item.sig.ident, self.output());
        let call = function.returns.outcome(&quote!(Self::#name(#(#arguments),*)));
        quote! {
            #[automatically_derived]
            impl #private::Target for #ty {
                #common
                #output

                fn call((#(#arguments,)*): Self::Args) -> ::core::result::Result<Self::Output, ::std::process::ExitCode> {
                    #call
                }
            }
        }
    }

    /// `WorkerTarget`: what a worker with that state runs.
    fn stateful(&self, state: &Type) -> TokenStream {
        let Self { function, ty, private, common, arguments } = self;
        let (name, output) = (&function.item.sig.ident, self.output());
        let call = function.returns.outcome(&quote!(Self::#name(__state #(, #arguments)*)));
        let content = quote! {
            #common
            #output

            fn call_with(
                __state: &mut #state,
                (#(#arguments,)*): Self::Args,
            ) -> ::core::result::Result<Self::Output, ::std::process::ExitCode> {
                #call
            }
        };
        let block = quote_spanned!(function.role_span()=> impl #private::WorkerTarget<#state> for #ty { #content });
        quote!(#[automatically_derived] #block)
    }

    /// `StateTarget`: what a worker starts with.
    fn maker(&self, made: &Made) -> TokenStream {
        let Self { function, ty, private, common, arguments } = self;
        let (name, state) = (&function.item.sig.ident, &made.state);
        let call = made.outcome(&quote!(Self::#name(#(#arguments),*)));
        let made = quote_spanned!(state.span()=> type State = #state;);
        let content = quote! {
            #common
            #made

            fn build((#(#arguments,)*): Self::Args) -> ::core::result::Result<Self::State, ::std::string::String> {
                #call
            }
        };
        let block = quote_spanned!(function.role_span()=> impl #private::StateTarget for #ty { #content });
        quote!(#[automatically_derived] #block)
    }

    /// `PreloadTarget`: what is run before processes are forked.
    fn preload(&self, made: &Made) -> TokenStream {
        let Self { function, ty, private, common, arguments } = self;
        let (name, value) = (&function.item.sig.ident, &made.state);
        let call = made.outcome(&quote!(Self::#name(#(#arguments),*)));
        let made = quote_spanned!(value.span()=> type Value = #value;);
        let content = quote! {
            #common
            #made

            fn load((#(#arguments,)*): Self::Args) -> ::core::result::Result<Self::Value, ::std::string::String> {
                #call
            }
        };
        let block = quote_spanned!(function.role_span()=> impl #private::PreloadTarget for #ty { #content });
        quote!(#[automatically_derived] #block)
    }

    /// `type Output = …;`
    fn output(&self) -> TokenStream {
        let output = self.function.returns.output(self.private);
        quote_spanned!(output.span()=> type Output = #output;)
    }
}
