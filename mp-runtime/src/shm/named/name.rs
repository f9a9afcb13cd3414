//! What a segment may be called.

use std::fmt::Write as _;

use crate::{
    error::{Error, Result},
    sys::getrandom::getrandom,
};

/// The longest file name: `NAME_MAX` of `limits.h`.
const LONGEST: usize = 255;
/// CPython's for names that it chooses.
const PREFIX: &str = "psm_";

/// `name`, if it can be one.
pub(super) fn check(name: &str) -> Result<()> {
    let problem = if name.is_empty() || name == "." || name == ".." {
        "it names no file"
    } else if name.contains('/') {
        "it contains a slash; it is a name and not a path, and has none in front either"
    } else if name.contains('\0') {
        "it contains a NUL byte"
    } else if name.len() > LONGEST {
        "it is longer than 255 bytes"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("{name:?} cannot be the name of shared memory: {problem}")))
}

/// A new one, as CPython chooses them: `psm_` and eight hexadecimal digits.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0; 4];
    getrandom(&mut bytes).map_err(|error| Error::os("ask for random bytes", error))?;
    Ok(bytes.iter().fold(PREFIX.to_owned(), |mut name, byte| {
        // Writing to a String cannot fail.
        write!(name, "{byte:02x}").ok();
        name
    }))
}

/// Whether [`random`] may have chosen it.
pub(super) fn may_be_random(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
