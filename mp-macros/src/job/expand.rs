//! What a job becomes: its `impl`, completed, and a hidden target that runs it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ImplItem, ItemImpl, ReturnType, ext::IdentExt, parse_quote, spanned::Spanned};

use super::parse::Job;
use crate::{names::Names, returns::Returns};

/// Writes the `impl`, the target and the row in the table.
pub(super) fn expand(item: ItemImpl, job: &Job, names: &Names) -> TokenStream {
    let block = if job.of_trait { complete(item, job, names) } else { add_trait(&item, job, names) };
    let target = target(job, names);
    quote!(#block #target)
}

/// The user's `impl Job for …`, with its `Output`. A trait knows no `!`, so that `run` gets the type that
/// stands for it.
fn complete(mut item: ItemImpl, job: &Job, names: &Names) -> TokenStream {
    if !job.has_output {
        let output = output(job, names);
        item.items.insert(0, parse_quote!(type Output = #output;));
        for part in &mut item.items {
            if let ImplItem::Fn(function) = part
                && function.sig.ident == "run"
                && matches!(job.returns, Returns::Never)
            {
                function.sig.output = parse_quote!(-> #output);
            }
        }
    }
    quote!(#item)
}

/// The user's inherent `impl`, and the trait that calls its `run`.
fn add_trait(item: &ItemImpl, job: &Job, names: &Names) -> TokenStream {
    let (cfg, ty, private) = (&job.cfg, &job.ty, &names.private);
    let output = output(job, names);
    quote! {
        #item

        #(#cfg)*
        #[allow(deprecated)]
        #[automatically_derived]
        impl #private::Job for #ty {
            type Output = #output;

            fn run(self) -> Self::Output {
                <#ty>::run(self)
            }
        }
    }
}

/// `Job::Output`: the type that `run` returns.
fn output(job: &Job, names: &Names) -> TokenStream {
    match (&job.returns, &job.written) {
        (Returns::ExitCode, ReturnType::Type(_, ty)) => quote!(#ty),
        (returns, _) => returns.output(&names.private),
    }
}

/// The target: not the user's to name, hence hidden. It has the job as a parameter so that it is as private
/// as the job.
fn target(job: &Job, names: &Names) -> TokenStream {
    let Job { name, ty, cfg, .. } = job;
    let marker = format_ident!("__{name}Target", span = Span::call_site());
    let target = quote!(#marker<#ty>);
    let (private, id, entry) = (&names.private, names.id(name), names.entry(&quote!(new::<#target>)));
    let args = quote_spanned!(ty.span()=> type Args = (#ty,););
    let output = match &job.returns {
        Returns::Value(written) => quote_spanned!(written.span()=> <#ty as #private::Job>::Output),
        other => other.output(private),
    };
    let call = job.returns.outcome(&quote!(<#ty as #private::Job>::run(__job)));
    let value = value(&marker, name);
    quote! {
        #(#cfg)*
        #[allow(deprecated)]
        const _: () = {
            #value

            #[automatically_derived]
            impl #private::Target for #target {
                #args
                type Output = #output;
                const ID: #private::TargetId = #id;

                fn call((__job,): Self::Args) -> ::core::result::Result<Self::Output, ::std::process::ExitCode> {
                    #call
                }
            }

            #[automatically_derived]
            impl #private::JobTarget for #ty {
                type Target = #target;
                const TARGET: Self::Target = #marker(::core::marker::PhantomData);
            }

            #entry
        };
    }
}

/// The hidden type, and what every value can do. A `derive` would ask the same of the job.
fn value(marker: &Ident, name: &Ident) -> TokenStream {
    let shown = name.unraw().to_string();
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, unnameable_types, unreachable_pub)]
        pub struct #marker<J>(::core::marker::PhantomData<fn() -> J>);

        #[automatically_derived]
        impl<J> ::core::clone::Clone for #marker<J> {
            #[inline]
            fn clone(&self) -> Self {
                *self
            }
        }

        #[automatically_derived]
        impl<J> ::core::marker::Copy for #marker<J> {}

        #[automatically_derived]
        impl<J> ::core::fmt::Debug for #marker<J> {
            fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __formatter.write_str(#shown)
            }
        }
    }
}
