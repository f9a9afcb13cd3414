//! What may be sent.

use serde::{Serialize, de::DeserializeOwned};

/// The kinds of message on a connection. Those of control sockets are below 16, so that neither is taken for the other.
pub(super) mod kind {
    /// A value.
    pub(crate) const VALUE: u8 = 16;
    /// Bytes as they are.
    pub(crate) const BYTES: u8 = 17;
}

/// What may be a message: any owned value that serde can write and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message",
    label = "cannot be sent to another process",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a file or socket goes into `multiprocess::Handle`"
)]
pub trait Message: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Message for T {}
