//! The user's attributes on a function, and where each belongs once the function is a value.

use syn::{AttrStyle, Attribute};

use crate::report::Report;

/// The attributes of a function, sorted by where they go. One may go to several places.
#[derive(Default)]
pub(crate) struct Attributes {
    /// `#[cfg(…)]`: on every generated item.
    pub(crate) cfg: Vec<Attribute>,
    /// Docs: on the value, where rustdoc and the editor look.
    pub(crate) docs: Vec<Attribute>,
    /// `#[deprecated]`, `#[allow(…)]`: on the value.
    pub(crate) target: Vec<Attribute>,
    /// All the others, known or not: on the function that holds the body.
    pub(crate) body: Vec<Attribute>,
    /// Whether uses of the value must be excused in the generated code.
    pub(crate) deprecated: bool,
}

impl Attributes {
    /// Sorts the attributes of a function.
    pub(crate) fn sort(attributes: &[Attribute]) -> Self {
        let mut sorted = Self::default();
        for attribute in attributes {
            let to = match (&attribute.style, attribute.path().get_ident()) {
                (AttrStyle::Outer, Some(name)) => name.to_string(),
                _ => String::new(),
            };
            match to.as_str() {
                "cfg" => sorted.cfg.push(attribute.clone()),
                "doc" => sorted.docs.push(attribute.clone()),
                "deprecated" => {
                    sorted.deprecated = true;
                    sorted.target.push(attribute.clone());
                }
                "allow" => {
                    sorted.target.push(attribute.clone());
                    sorted.body.push(attribute.clone());
                }
                _ => sorted.body.push(attribute.clone()),
            }
        }
        sorted
    }
}

/// Takes further `#[process_target]` off an item; each is a mistake.
pub(crate) fn take_repeated(attributes: &mut Vec<Attribute>, report: &mut Report) {
    attributes.retain(|attribute| {
        let repeated = attribute.path().segments.last().is_some_and(|segment| segment.ident == "process_target");
        if repeated {
            report.error(attribute, "`#[process_target]` is on this item already; remove one");
        }
        !repeated
    });
}

/// The `#[cfg(…)]` among `attributes`.
pub(crate) fn cfg(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
}
