//! `sem_t`, which CPython's locks are made of, too.

use std::io;

use libc::sem_t;
use serde::{Deserialize, Serialize};

use super::Place;
use crate::{
    Failure,
    locks::{Done, said},
};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Semaphore(Place<sem_t>);

impl Semaphore {
    pub(crate) fn new(permits: u32) -> Result<Self, Failure> {
        // SAFETY: it has its place for as long as it is used. What could go wrong is a number of permits beyond `i32`.
        Ok(Self(Place::new(|semaphore| unsafe { libc::sem_init(semaphore, 1, permits) })?))
    }

    #[inline]
    pub(crate) fn acquire(&self) -> Done {
        // SAFETY: `new` has made it.
        done(unsafe { libc::sem_wait(self.0.thing) })
    }

    #[inline]
    pub(crate) fn release(&self) -> Done {
        // SAFETY: as above.
        done(unsafe { libc::sem_post(self.0.thing) })
    }
}

fn done(code: i32) -> Done {
    if code == 0 { Ok(()) } else { Err(said(io::Error::last_os_error())) }
}
