//! What may be sent.

use serde::{Serialize, de::DeserializeOwned};

/// What may be a message: any owned value that serde can write and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message",
    label = "cannot be sent to another process",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a file or socket goes into `multiprocess::Handle`"
)]
pub trait Message: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Message for T {}
