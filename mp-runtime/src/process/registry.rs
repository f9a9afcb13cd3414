//! The table of targets: filled by the linker, read by children.

use std::{borrow::Cow, collections::HashMap};

use super::target::Entry;
use crate::error::{Error, Result};

/// A target as it travels: what [`TargetId`](super::TargetId) is in the sender's program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: Cow<'static, str>,
    file: Cow<'static, str>,
    line: u32,
    column: u32,
    explicit: bool,
}

impl From<super::TargetId> for Identity {
    fn from(id: super::TargetId) -> Self {
        let (file, line, column) = id.location();
        Self { name: id.name().into(), file: file.into(), line, column, explicit: id.is_explicit() }
    }
}

impl Identity {
    /// An explicit name is the identity by itself, so that two builds can agree on it.
    fn is(&self, entry: &Entry) -> bool {
        let (file, line, column) = entry.id.location();
        self.name == entry.id.name()
            && self.explicit == entry.id.is_explicit()
            && (self.explicit || (self.file == file && self.line == line && self.column == column))
    }
}

/// The row of a target.
pub(crate) fn find(identity: &Identity) -> Result<&'static Entry> {
    let mut matching = entries().filter(|entry| identity.is(entry));
    let Some(found) = matching.next() else {
        let Identity { name, file, line, .. } = identity;
        return Err(Error::refused(format!(
            "target {name} ({file}:{line}) is not among the {} targets of this program; is it another build?",
            entries().count()
        )));
    };
    match matching.next() {
        None => Ok(found),
        Some(_) => Err(Error::refused(format!(
            "target {} stands more than once at {}:{}; give each a name of its own with `name = \"…\"`",
            identity.name, identity.file, identity.line
        ))),
    }
}

/// An explicit name must be unique in the program.
pub(super) fn check_names() -> Result<()> {
    let mut seen = HashMap::new();
    for entry in entries().filter(|entry| entry.id.is_explicit()) {
        if let Some(other) = seen.insert(entry.id.name(), entry) {
            let ((file, line, _), (other_file, other_line, _)) = (entry.id.location(), other.id.location());
            let name = entry.id.name();
            return Err(Error::invalid(format!(
                "two targets have the name \"{name}\": {file}:{line} and {other_file}:{other_line}; rename one"
            )));
        }
    }
    Ok(())
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    inventory::iter::<Entry>.into_iter()
}
