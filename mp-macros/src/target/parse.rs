//! The parts of a sound function that the expansion needs.

use proc_macro2::Span;
use syn::{FnArg, ItemFn, Type, spanned::Spanned};

use super::state::{self, Made};
use crate::{
    args::{Args, Maker},
    attributes::Attributes,
    render::render,
    returns::Returns,
    types,
};

/// Who calls a target, and with what.
pub(super) enum Role {
    /// Whoever is asked to: it needs nothing but its arguments.
    Plain,
    /// A worker whose state is of this type; the first argument lends it.
    Stateful(Box<Type>),
    /// A process that keeps the result: a worker at its start, or one that others are forked from. With the place of the option.
    Maker(Maker, Box<Made>, Span),
}

/// A function that has passed the checks.
pub(super) struct Function {
    /// As the user wrote it.
    pub(super) item: ItemFn,
    pub(super) attributes: Attributes,
    pub(super) role: Role,
    /// The types of the arguments, with that of the state.
    pub(super) types: Vec<Type>,
    pub(super) returns: Returns,
    /// The signature, for the docs.
    pub(super) signature: String,
}

impl Function {
    /// Takes the function apart.
    pub(super) fn parse(item: ItemFn, args: &Args) -> Self {
        let role = match (&args.maker, state::lent(&item.sig)) {
            (Some((maker, option)), _) => Role::Maker(*maker, Box::new(Made::of(&item.sig.output)), option.span()),
            (None, Some(lent)) => Role::Stateful(lent.elem.clone()),
            (None, None) => Role::Plain,
        };
        Self {
            role,
            attributes: Attributes::sort(&item.attrs),
            types: arguments(&item).map(|(_, ty)| ty.clone()).collect(),
            returns: Returns::of(&item.sig.output),
            signature: signature(&item),
            item,
        }
    }

    /// The types of what is sent: of all arguments but the state.
    pub(super) fn sent(&self) -> &[Type] {
        let states = usize::from(matches!(self.role, Role::Stateful(_)));
        self.types.get(states..).unwrap_or_default()
    }

    /// The place that tells why not every child can run it, or that of the function.
    pub(super) fn role_span(&self) -> Span {
        match &self.role {
            Role::Plain => self.item.sig.fn_token.span,
            Role::Stateful(state) => state.span(),
            Role::Maker(.., option) => *option,
        }
    }

    /// The place of what is to be sent. The compiler checks the arguments once, as one tuple, and points to all
    /// of it. So the tuple stands where the one argument is that is not a plain number or string; if there are
    /// several of them, or none, it stands where the whole list is.
    pub(super) fn place(&self) -> Span {
        let mut doubtful = self.sent().iter().filter(|ty| !types::is_scalar(ty));
        match (doubtful.next(), doubtful.next()) {
            (Some(only), None) => only.span(),
            _ => self.item.sig.paren_token.span.join(),
        }
    }
}

/// The arguments, each with its pattern as one reads it.
fn arguments(item: &ItemFn) -> impl Iterator<Item = (String, &Type)> {
    item.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => {
            let pattern = render(&argument.pat);
            let pattern = pattern.strip_prefix("mut ").map(Into::into).unwrap_or(pattern);
            Some((pattern, &*argument.ty))
        }
        FnArg::Receiver(_) => None,
    })
}

fn signature(item: &ItemFn) -> String {
    let arguments: Vec<String> = arguments(item).map(|(pattern, ty)| format!("{pattern}: {}", render(ty))).collect();
    let output = render(&item.sig.output);
    format!("fn {}({}) {output}", item.sig.ident, arguments.join(", ")).trim_end().into()
}
