//! What can be seen of a type without the compiler, above all whether it is owned.

use std::fmt::Display;

use syn::{AngleBracketedGenericArguments, GenericArgument, PathArguments, Type, TypePath, TypeReference};

use crate::{render::render, report::Report};

/// Where a type stands: what it is called in a message, and what the user does with it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    noun: &'static str,
    verb: &'static str,
    /// What stands before the type itself.
    lead: &'static str,
    /// Whether `Self` means something there.
    method: bool,
    /// Whether it stays in its process, so that it may be what cannot be sent.
    kept: bool,
}

impl Place {
    /// The type of an argument of a function.
    pub(crate) const ARGUMENT: Self = Self { noun: "argument", verb: "take", lead: "", method: false, kept: false };
    /// The type that a function returns.
    pub(crate) const RESULT: Self = Self { noun: "result", verb: "return", lead: "", method: false, kept: false };
    /// The type that a job returns.
    pub(crate) const JOB_RESULT: Self = Self { noun: "result", verb: "return", lead: "", method: true, kept: false };
    /// The type that is a job.
    pub(crate) const JOB: Self = Self { noun: "job", verb: "hold", lead: "", method: false, kept: false };
    /// The type of a worker's state, behind its `&mut`.
    pub(crate) const STATE: Self = Self { noun: "state", verb: "take", lead: "&mut ", method: false, kept: true };
    /// The type of a worker's state, where a function makes it.
    pub(crate) const MADE_STATE: Self = Self { noun: "state", verb: "return", lead: "", method: false, kept: true };
    /// The type of what a function makes for processes that are forked after it.
    pub(crate) const PRELOADED: Self = Self { noun: "value", verb: "return", lead: "", method: false, kept: true };

    /// What is wrong with a borrowed type there; then what to do.
    fn borrowed(self, remedy: impl Display) -> String {
        let limit = match (self.kept, self.noun) {
            (false, _) => "cross a process boundary",
            (true, "state") => "stay in a worker",
            (true, _) => "stay behind the function that makes it",
        };
        format!("a borrowed {} cannot {limit}; {remedy}", self.noun)
    }

    /// What becomes of it there.
    const fn fate(self) -> &'static str {
        if self.kept { "kept" } else { "sent" }
    }
}

/// Reports what in a type cannot cross a process boundary, or stay in a worker, each part on its own token.
pub(crate) fn check(ty: &Type, place: Place, report: &mut Report) {
    match (plain(ty), without_size(ty)) {
        (Type::TraitObject(_), _) if !place.kept => check_nested(ty, place, report),
        (_, Some(owned)) => {
            let Place { noun, verb, lead, .. } = place;
            report.error(ty, format_args!("the {noun} has no size of its own; {verb} `{lead}{owned}`"));
        }
        (Type::Reference(reference), _) => report.error(ty, borrowed(reference, place)),
        (ty, _) => check_nested(ty, place, report),
    }
}

/// The owned type to write for one that has no size.
fn without_size(ty: &Type) -> Option<String> {
    Some(match plain(ty) {
        Type::Slice(slice) => format!("Vec<{}>", render(&slice.elem)),
        Type::Path(path) if path.path.is_ident("str") => "String".into(),
        object @ Type::TraitObject(_) => format!("Box<{}>", render(object)),
        _ => return None,
    })
}

/// As [`check`], where `str` and `[T]` are allowed: `Box<str>` is owned.
fn check_nested(ty: &Type, place: Place, report: &mut Report) {
    let Place { verb, kept, .. } = place;
    match plain(ty) {
        Type::Reference(TypeReference { lifetime: Some(lifetime), elem, .. }) if kept && lifetime.ident == "static" => {
            check_nested(elem, place, report);
        }
        Type::Reference(reference) => report.error(ty, borrowed(reference, place)),
        Type::Ptr(_) | Type::FnPtr(_) | Type::TraitObject(_) if kept => {}
        Type::Ptr(_) => report.error(ty, format_args!("a raw pointer means nothing in another process; {verb} the value it points to")),
        Type::FnPtr(_) => report
            .error(ty, "a function pointer means nothing in another process; take an enum, and choose the function by it in the target"),
        Type::ImplTrait(_) => report
            .error(ty, format_args!("`impl Trait` hides the type that is to be {}; {verb} a named type", place.fate())),
        Type::TraitObject(_) => report
            .error(ty, format_args!("a trait object cannot be rebuilt in another process; {verb} an enum of the types it may be")),
        Type::Infer(_) => report.error(ty, format_args!("the type of what is {} must be known; write it out", place.fate())),
        Type::Array(array) => check_nested(&array.elem, place, report),
        Type::Slice(slice) => check_nested(&slice.elem, place, report),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|element| check_nested(element, place, report)),
        Type::Path(path) => check_path(path, place, report),
        _ => {}
    }
}

fn check_path(path: &TypePath, place: Place, report: &mut Report) {
    if let Some(qself) = &path.qself {
        check_nested(&qself.ty, place, report);
    }
    if let Some(first) = path.path.segments.first()
        && first.ident == "Self"
        && !place.method
    {
        report.error(
            &first.ident,
            "`Self` means nothing outside an `impl`; write the type's name, and move the function out of the `impl`",
        );
    }
    for segment in &path.path.segments {
        let PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. }) = &segment.arguments else {
            continue;
        };
        for arg in args {
            match arg {
                GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
                    let remedy = match &segment.ident {
                        cow if cow == "Cow" => format!("{} the owned type, or `Cow<'static, …>`", place.verb),
                        other => format!("{} an owned type in place of `{other}<{lifetime}>`", place.verb),
                    };
                    report.error(lifetime, place.borrowed(remedy));
                }
                GenericArgument::Type(ty) => check_nested(ty, place, report),
                GenericArgument::AssocType(binding) => check_nested(&binding.ty, place, report),
                _ => {}
            }
        }
    }
}

/// What is wrong with a borrowed type, and what to write in its place.
pub(crate) fn borrowed(reference: &TypeReference, place: Place) -> String {
    place.borrowed(remedy(reference, place))
}

/// What to write in place of a borrowed type.
pub(crate) fn remedy(reference: &TypeReference, place: Place) -> String {
    format!("{} {}", place.verb, owned(reference, place))
}

/// The owned type to write for a borrowed one.
fn owned(reference: &TypeReference, place: Place) -> String {
    let owned = match plain(&reference.elem) {
        Type::TraitObject(_) if !place.kept => return "an enum of the types it may be".into(),
        Type::Path(path) => match path.path.segments.last().map(|segment| segment.ident.to_string()).as_deref() {
            Some("str") => "String".into(),
            Some("Path") => "PathBuf".into(),
            Some("OsStr") => "OsString".into(),
            Some("CStr") => "CString".into(),
            _ => render(path),
        },
        other => without_size(other).unwrap_or_else(|| render(other)),
    };
    if reference.mutability.is_some() && place.verb != "return" && !place.kept {
        return format!("`{owned}` and return it changed: the child works on a copy");
    }
    format!("`{owned}`")
}

/// Whether it is a name, and not of a type that is known to have no size.
pub(crate) fn is_sized_path(ty: &Type) -> bool {
    const UNSIZED: [&str; 4] = ["str", "Path", "OsStr", "CStr"];
    let Type::Path(path) = plain(ty) else { return false };
    path.path.segments.last().is_some_and(|last| UNSIZED.iter().all(|name| last.ident != name))
}

/// Whether serde can surely write and read it: a number, a `bool`, a `char` or a `String`.
pub(crate) fn is_scalar(ty: &Type) -> bool {
    const SCALARS: [&str; 17] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize", "String",
    ];
    matches!(plain(ty), Type::Path(path) if SCALARS.iter().any(|name| path.path.is_ident(name)))
}

/// The type itself, without the parentheses and invisible groups that a `macro_rules!` puts around it.
pub(crate) fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => plain(&paren.elem),
        Type::Group(group) => plain(&group.elem),
        other => other,
    }
}
