//! What a server is to be.

use std::sync::Arc;

use super::super::super::{
    outcome::kind,
    registry::Identity,
    target::{Arguments, TargetId},
};
use crate::{
    codec::{Encoded, Encoder},
    error::{Error, Result},
};

/// A message of no more bytes goes through the socket.
const FEW: usize = 256;

/// Whatever makes two servers different.
#[derive(Clone, Debug, Default)]
pub(in crate::process) struct Plan {
    /// Run before the first fork, in this order.
    pub(in crate::process) preloads: Arc<[Preload]>,
    /// How many children are to wait.
    pub(in crate::process) warm: usize,
}

/// A target with its arguments, encoded when it was named.
#[derive(Clone, Debug)]
pub(in crate::process) struct Preload(Arc<Result<Encoded>>);

impl Preload {
    pub(in crate::process) fn new(id: TargetId, args: &impl Arguments) -> Self {
        let encode = || {
            // Several wait on one socket before anybody reads: what is more than a few bytes lies elsewhere.
            let mut encoder = Encoder::spilling_from(FEW);
            encoder.put(&Identity::from(id))?;
            encoder.put(args.value())?;
            encoder.finish(kind::PRELOAD)
        };
        Self(Arc::new(encode().map_err(|error| error.context(format!("the arguments of {}", id.name())))))
    }

    /// The message, which may be sent any number of times.
    pub(in crate::process) fn message(&self) -> Result<&Encoded> {
        self.0.as_ref().as_ref().map_err(Error::clone)
    }
}
