//! A mutex that is robust and for all processes.

use std::mem::MaybeUninit;

use libc::pthread_mutex_t;
use serde::{Deserialize, Serialize};

use super::{Place, checked};
use crate::{
    Failure,
    locks::{Done, said},
};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Mutex(Place<pthread_mutex_t>);

impl Mutex {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are made before they are used, and the mutex has its place for as long as it is used.
        let place = Place::new(|mutex| unsafe {
            libc::pthread_mutexattr_init(attributes);
            libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST);
            libc::pthread_mutex_init(mutex, attributes)
        })?;
        Ok(Self(place))
    }

    /// What is done with it locked is whatever is done before the unlock.
    #[inline]
    pub(crate) fn lock(&self) -> Done {
        // SAFETY: `new` has made it.
        checked(unsafe { libc::pthread_mutex_lock(self.0.thing) }).map_err(said)
    }

    #[inline]
    pub(crate) fn unlock(&self) -> Done {
        // SAFETY: as above.
        checked(unsafe { libc::pthread_mutex_unlock(self.0.thing) }).map_err(said)
    }

    pub(super) fn pointer(&self) -> *mut pthread_mutex_t {
        self.0.thing
    }
}
