//! What the models of algorithms have in common: the search, and the kernel's part. They stand beside the code that they are of:
//! `sync/models/`, which explains what a model is, and `ipc/queue/models/`.

pub(crate) mod kernel;
pub(crate) mod search;
