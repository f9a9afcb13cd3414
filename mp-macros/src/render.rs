//! Tokens as a person would write them, for docs and messages.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Writes tokens of a type or a pattern with the usual spaces.
pub(crate) fn render(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.into_token_stream(), &mut text);
    text.truncate(text.trim_end().len());
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.truncate(text.trim_end().len());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match (punct.as_char(), punct.spacing()) {
                (',' | ';', _) | (':', Spacing::Alone) if !text.ends_with(':') => {
                    text.push(punct.as_char());
                    text.push(' ');
                }
                ('-', Spacing::Joint) | ('=' | '+', Spacing::Alone) => {
                    text.push(' ');
                    text.push(punct.as_char());
                    if punct.spacing() == Spacing::Alone {
                        text.push(' ');
                    }
                }
                ('>', _) if text.ends_with('-') => text.push_str("> "),
                (other, _) => text.push(other),
            },
            word => {
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
}
