//! The attribute's own arguments: `name = "…"`, `crate = path`, `worker_state` and `preload`.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Expr, ExprLit, ExprPath, Ident, Lit, LitStr, Path, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    parse_quote,
};

use crate::report::Report;

/// What stands in the parentheses of `#[process_target(…)]`.
pub(crate) struct Args {
    /// `name = "…"`: the target's name where the path of the function will not do.
    pub(crate) name: Option<LitStr>,
    /// `crate = path`: where the `multiprocess` crate is found.
    pub(crate) krate: Path,
    /// What becomes of the result, if it is not sent back; with the option as it stands there.
    pub(crate) maker: Option<(Maker, Ident)>,
}

/// For whom a function makes something that stays where it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// `worker_state`: for a pool's worker.
    WorkerState,
    /// `preload`: for processes that are forked after it.
    Preload,
}

impl Args {
    /// Reads the options; what is wrong with one is reported and the option is left out.
    pub(crate) fn parse(tokens: TokenStream, report: &mut Report) -> Self {
        let mut name = Slot::new("name");
        let mut krate = Slot::new("crate");
        let mut worker_state = Slot::new("worker_state");
        let mut preload = Slot::new("preload");
        let options = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let key = input.call(Ident::parse_any)?;
                match key.to_string().as_str() {
                    word @ ("name" | "crate") if !input.peek(Token![=]) => {
                        report.error(&key, format_args!("the option `{word}` has no value; write `{word} = …`"));
                        skip(input)?;
                    }
                    "name" => name.fill(&key, text(input)?, report),
                    "crate" => krate.fill(&key, path(input)?, report),
                    "worker_state" => {
                        worker_state.fill(&key, Ok(key.clone()), report);
                        alone(&key, input, report)?;
                    }
                    "preload" => {
                        preload.fill(&key, Ok(key.clone()), report);
                        alone(&key, input, report)?;
                    }
                    other => {
                        report.error(
                            &key,
                            format_args!(
                                "unknown option `{other}`; the options are `name = \"…\"`, `crate = path`, `worker_state` and `preload`"
                            ),
                        );
                        skip(input)?;
                    }
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = options.parse2(tokens) {
            report.push(error);
        }
        Self {
            name: name.value,
            krate: krate.value.unwrap_or_else(|| parse_quote!(::multiprocess)),
            maker: maker(worker_state.value, preload.value, report),
        }
    }
}

/// A result is kept in one place.
fn maker(worker_state: Option<Ident>, preload: Option<Ident>, report: &mut Report) -> Option<(Maker, Ident)> {
    if let (Some(_), Some(second)) = (&worker_state, &preload) {
        report.error(
            second,
            "a function makes the state of a worker, or what is there before processes are forked; keep one of the options",
        );
    }
    let preload = preload.map(|option| (Maker::Preload, option));
    worker_state.map(|option| (Maker::WorkerState, option)).or(preload)
}

/// The place of one option, which may be given once.
struct Slot<T> {
    key: &'static str,
    given: bool,
    value: Option<T>,
}

impl<T> Slot<T> {
    const fn new(key: &'static str) -> Self {
        Self { key, given: false, value: None }
    }

    fn fill(&mut self, key: &Ident, value: syn::Result<T>, report: &mut Report) {
        if self.given {
            report.error(key, format_args!("the option `{}` is given twice; keep one", self.key));
            return;
        }
        self.given = true;
        match value {
            Ok(value) => self.value = Some(value),
            Err(error) => report.push(error),
        }
    }
}

/// `= "…"`. The outer error ends the parsing, the inner one is this option's own.
fn text(input: ParseStream<'_>) -> syn::Result<syn::Result<LitStr>> {
    Ok(match value(input)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().trim().is_empty() => Ok(text),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Err(syn::Error::new_spanned(
            text,
            "the name of a process target is empty; write one, or leave the option out",
        )),
        other => Err(syn::Error::new_spanned(
            other,
            "the name of a process target is a string literal; write `name = \"…\"`",
        )),
    })
}

/// `= some::path`.
fn path(input: ParseStream<'_>) -> syn::Result<syn::Result<Path>> {
    Ok(match value(input)? {
        Expr::Path(ExprPath { qself: None, path, .. }) => Ok(path),
        other => Err(syn::Error::new_spanned(other, "the crate is a path without quotes; write `crate = some::path`")),
    })
}

fn value(input: ParseStream<'_>) -> syn::Result<Expr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// Reports what follows an option that is a word and no more.
fn alone(key: &Ident, input: ParseStream<'_>, report: &mut Report) -> syn::Result<()> {
    let extra = skip(input)?;
    if !extra.is_empty() {
        report.error(extra, format_args!("the option `{key}` takes no value; write the word alone"));
    }
    Ok(())
}

/// Goes past whatever follows the name of an option.
fn skip(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut skipped = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        skipped.extend([input.parse::<TokenTree>()?]);
    }
    Ok(skipped)
}
