//! A condition for all processes.

use std::mem::MaybeUninit;

use libc::pthread_cond_t;
use serde::{Deserialize, Serialize};

use super::{Mutex, Place, checked};
use crate::{
    Failure,
    locks::{Done, said},
};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Condition(Place<pthread_cond_t>);

impl Condition {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are made before they are used, and the condition has its place for as long as it is used.
        let place = Place::new(|condition| unsafe {
            libc::pthread_condattr_init(attributes);
            libc::pthread_condattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_cond_init(condition, attributes)
        })?;
        Ok(Self(place))
    }

    /// The caller holds the mutex.
    pub(crate) fn wait(&self, mutex: &Mutex) -> Done {
        // SAFETY: both have been made by their `new`.
        checked(unsafe { libc::pthread_cond_wait(self.0.thing, mutex.pointer()) }).map_err(said)
    }

    pub(crate) fn notify(&self) -> Done {
        // SAFETY: as above.
        checked(unsafe { libc::pthread_cond_signal(self.0.thing) }).map_err(said)
    }
}
