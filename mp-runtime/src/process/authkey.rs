//! The key that the processes of one program share.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::{
    error::{Error, Result},
    sys::getrandom::getrandom,
};

/// A secret that a program's processes inherit: 32 random bytes, made by the first process, unless another
/// was [set](crate::CurrentProcess::set_authkey).
///
/// It is wiped from memory when dropped, its `Debug` does not show it, and it is handed on only
/// to children: it is no `Serialize`.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let key = mp::current_process().authkey()?;
/// assert_eq!(key.as_bytes().len(), 32);
/// assert_eq!(mp::AuthKey::from(b"from a file".to_vec()).as_bytes(), b"from a file");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuthKey(Secret);

/// Serialises for the preparation only, where a private type keeps it from travelling in anything else.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secret(Vec<u8>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl AuthKey {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.0
    }

    pub(super) fn random() -> Result<Self> {
        let mut key = vec![0; 32];
        getrandom(&mut key).map_err(|error| Error::os("make an authentication key", error))?;
        Ok(Self(Secret(key)))
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }
}

/// Any bytes; 32 or more random ones are what a key should be.
impl From<Vec<u8>> for AuthKey {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Secret(bytes))
    }
}

impl From<Secret> for AuthKey {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(…)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
