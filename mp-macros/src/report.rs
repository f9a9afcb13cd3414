//! Collects what is wrong with an item, so that all of it is reported at once.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Every mistake found so far.
#[derive(Default)]
pub(crate) struct Report {
    errors: Option<Error>,
}

impl Report {
    /// A mistake on the user's own tokens; the text says what is wrong; then what to do.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// A mistake that the parser found.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            None => self.errors = Some(error),
        }
    }

    /// Runs one check; the result is whether it found nothing.
    pub(crate) fn clean(&mut self, check: impl FnOnce(&mut Self)) -> bool {
        let mut found = Self::default();
        check(&mut found);
        match found.errors {
            Some(errors) => {
                self.push(errors);
                false
            }
            None => true,
        }
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors.map(Error::into_compile_error).unwrap_or_default()
    }
}
