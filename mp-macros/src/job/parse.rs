//! The parts of a job's `impl` that the expansion needs.

use syn::{Attribute, Ident, ImplItem, ImplItemFn, ItemImpl, ReturnType, Type, TypePath};

use crate::{attributes, returns::Returns, types::plain};

/// A job whose `impl` has passed the checks.
pub(super) struct Job {
    /// The last name of its type.
    pub(super) name: Ident,
    pub(super) ty: Type,
    pub(super) cfg: Vec<Attribute>,
    /// The result as `run` has it.
    pub(super) written: ReturnType,
    pub(super) returns: Returns,
    /// Whether it is an `impl Job for …`.
    pub(super) of_trait: bool,
    /// Whether the user has written `type Output`.
    pub(super) has_output: bool,
}

impl Job {
    /// Takes the `impl` apart.
    pub(super) fn parse(item: &ItemImpl) -> Option<Self> {
        let output = output(item);
        let written = run(item)?.sig.output.clone();
        Some(Self {
            name: name(&item.self_ty)?.clone(),
            ty: (*item.self_ty).clone(),
            cfg: attributes::cfg(&item.attrs).cloned().collect(),
            returns: output.map_or_else(|| Returns::of(&written), Returns::of_type),
            written,
            of_trait: item.trait_.is_some(),
            has_output: output.is_some(),
        })
    }
}

/// The function that does the work.
pub(super) fn run(item: &ItemImpl) -> Option<&ImplItemFn> {
    item.items.iter().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == "run" => Some(function),
        _ => None,
    })
}

/// The user's `type Output = …`.
pub(super) fn output(item: &ItemImpl) -> Option<&Type> {
    item.items.iter().find_map(|item| match item {
        ImplItem::Type(ty) if ty.ident == "Output" => Some(&ty.ty),
        _ => None,
    })
}

/// The last name of the type, if it has one.
pub(super) fn name(ty: &Type) -> Option<&Ident> {
    match plain(ty) {
        Type::Path(TypePath { path, .. }) => path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}
