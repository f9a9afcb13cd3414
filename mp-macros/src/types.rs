//! What can be seen of a type without the compiler, above all whether it is owned.

use syn::{AngleBracketedGenericArguments, GenericArgument, PathArguments, Type, TypePath, TypeReference};

use crate::{render::render, report::Report};

/// Where a type stands: what it is called in a message, and what the user does with it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    noun: &'static str,
    verb: &'static str,
    /// Whether `Self` means something there.
    method: bool,
}

impl Place {
    /// The type of an argument of a function.
    pub(crate) const ARGUMENT: Self = Self { noun: "argument", verb: "take", method: false };
    /// The type that a function returns.
    pub(crate) const RESULT: Self = Self { noun: "result", verb: "return", method: false };
    /// The type that a job returns.
    pub(crate) const JOB_RESULT: Self = Self { noun: "result", verb: "return", method: true };
    /// The type that is a job.
    pub(crate) const JOB: Self = Self { noun: "job", verb: "hold", method: false };
}

/// Reports what in a type cannot cross a process boundary, each part on its own token.
pub(crate) fn check(ty: &Type, place: Place, report: &mut Report) {
    match plain(ty) {
        Type::Slice(slice) => {
            let remedy = format!("{} `Vec<{}>`", place.verb, render(&slice.elem));
            report.error(ty, format_args!("the {} has no size of its own; {remedy}", place.noun));
        }
        Type::Path(path) if path.path.is_ident("str") => {
            report.error(ty, format_args!("the {} has no size of its own; {} `String`", place.noun, place.verb));
        }
        ty => check_nested(ty, place, report),
    }
}

/// As [`check`], where `str` and `[T]` are allowed: `Box<str>` is owned.
fn check_nested(ty: &Type, place: Place, report: &mut Report) {
    let Place { noun, verb, .. } = place;
    match plain(ty) {
        Type::Reference(reference) => {
            report.error(ty, format_args!("a borrowed {noun} cannot cross a process boundary; {verb} {}", owned(reference, verb)));
        }
        Type::Ptr(_) => report.error(ty, format_args!("a raw pointer means nothing in another process; {verb} the value it points to")),
        Type::FnPtr(_) => report
            .error(ty, "a function pointer means nothing in another process; take an enum, and choose the function by it in the target"),
        Type::ImplTrait(_) => report.error(ty, format_args!("`impl Trait` hides the type that is to be sent; {verb} a named type")),
        Type::TraitObject(_) => report
            .error(ty, format_args!("a trait object cannot be rebuilt in another process; {verb} an enum of the types it may be")),
        Type::Infer(_) => report.error(ty, "the type of what is sent must be known; write it out"),
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
                    report.error(
                        lifetime,
                        format_args!("a borrowed {} cannot cross a process boundary; {remedy}", place.noun),
                    );
                }
                GenericArgument::Type(ty) => check_nested(ty, place, report),
                GenericArgument::AssocType(binding) => check_nested(&binding.ty, place, report),
                _ => {}
            }
        }
    }
}

/// The owned type to write for a borrowed one.
fn owned(reference: &TypeReference, verb: &str) -> String {
    let owned = match plain(&reference.elem) {
        Type::Slice(slice) => format!("Vec<{}>", render(&slice.elem)),
        Type::TraitObject(_) => return "an enum of the types it may be".into(),
        Type::Path(path) => match path.path.segments.last().map(|segment| segment.ident.to_string()).as_deref() {
            Some("str") => "String".into(),
            Some("Path") => "PathBuf".into(),
            Some("OsStr") => "OsString".into(),
            Some("CStr") => "CString".into(),
            _ => render(path),
        },
        other => render(other),
    };
    if reference.mutability.is_some() && verb != "return" {
        return format!("`{owned}` and return it changed: the child works on a copy");
    }
    format!("`{owned}`")
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
