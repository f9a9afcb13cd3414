//! A barrier for all processes.

use std::mem::MaybeUninit;

use libc::pthread_barrier_t;
use serde::{Deserialize, Serialize};

use super::{Place, checked};
use crate::{
    Failure,
    locks::{Done, said},
};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Barrier(Place<pthread_barrier_t>);

impl Barrier {
    pub(crate) fn new(parties: u32) -> Result<Self, Failure> {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are made before they are used, and the barrier has its place for as long as it is used.
        let place = Place::new(|barrier| unsafe {
            libc::pthread_barrierattr_init(attributes);
            libc::pthread_barrierattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_barrier_init(barrier, attributes, parties)
        })?;
        Ok(Self(place))
    }

    pub(crate) fn wait(&self) -> Done {
        // SAFETY: `new` has made it.
        match unsafe { libc::pthread_barrier_wait(self.0.thing) } {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => Ok(()),
            code => checked(code).map_err(said),
        }
    }
}
