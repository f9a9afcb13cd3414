//! That there is a server when one is needed.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use nix::libc;

use super::{super::start::Started, plan::Plan, running::Running, stock::Ordered};
use crate::{
    codec::Encoded,
    error::{Error, Result},
    process::options::Options,
};

/// How many servers may die, one after the other, under one start.
const ATTEMPTS: usize = 3;

/// All that run, whoever has them.
static SERVERS: Mutex<Vec<Weak<Running>>> = Mutex::new(Vec::new());

fn servers() -> MutexGuard<'static, Vec<Weak<Running>>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// At the normal end of this process: that of the others would be to be orphans for a moment.
pub(in crate::process) fn end_servers() {
    let servers = std::mem::take(&mut *servers());
    servers.iter().filter_map(Weak::upgrade).for_each(|server| server.end());
}

/// A child that was woken for a start that has not come to it yet.
pub(in crate::process::launch) struct Roused {
    running: Arc<Running>,
    ordered: Option<Ordered>,
}

impl Drop for Roused {
    fn drop(&mut self) {
        if let Some(ordered) = self.ordered.take() {
            self.running.put_back(ordered);
        }
    }
}

/// A server that is started when it is first needed, and again when it has died.
#[derive(Debug, Default)]
pub(in crate::process) struct ForkServer {
    plan: Plan,
    /// Taken only for moments.
    running: Mutex<Option<Arc<Running>>>,
    /// Who has it starts a server: what is preloaded there may take long.
    starting: Mutex<()>,
}

impl ForkServer {
    pub(in crate::process) fn new(plan: Plan) -> Self {
        Self { plan, ..Self::default() }
    }

    /// The one for all that want nothing special.
    pub(in crate::process) fn common() -> Arc<Self> {
        static COMMON: OnceLock<Arc<ForkServer>> = OnceLock::new();
        Arc::clone(COMMON.get_or_init(Arc::default))
    }

    /// Wakes a child that waits, if one does, while the caller still makes up what to tell it.
    pub(in crate::process::launch) fn rouse(&self) -> Option<Roused> {
        let running = self.slot().clone()?;
        if !(running.has_stock() && running.is_fit().ok()?) {
            return None;
        }
        let ordered = running.rouse()?;
        Some(Roused { running, ordered: Some(ordered) })
    }

    /// Hands a child its preparation.
    ///
    /// # Errors
    ///
    /// [Unsupported](Error::is_unsupported): no server can fork here.
    pub(in crate::process::launch) fn start(
        &self,
        mut roused: Option<Roused>,
        options: &Options,
        preparation: &Encoded,
    ) -> Result<Started> {
        for _ in 0..ATTEMPTS {
            let running = match &roused {
                Some(roused) => Arc::clone(&roused.running),
                None => self.running()?,
            };
            let first = || roused.as_mut()?.ordered.take();
            if let Some(started) = running.start_child(first, self.plan.warm, options, preparation)? {
                return Ok(started);
            }
            roused = None;
            self.forget(&running);
        }
        let cause = io::Error::from_raw_os_error(libc::EPIPE);
        Err(Error::os(format!("have the process forked: {ATTEMPTS} fork servers died before they did it"), cause))
    }

    /// Starts what is to be there before the first process.
    pub(in crate::process) fn prepare(&self) -> Result<()> {
        let running = self.running()?;
        running.fill(self.plan.warm)?;
        running.wait_for_stock()
    }

    /// The process id of the server, if there is one.
    pub(in crate::process) fn pid(&self) -> Option<u32> {
        self.slot().as_ref().map(|running| running.pid())
    }

    /// One that runs, as far as is known.
    fn running(&self) -> Result<Arc<Running>> {
        if let Some(running) = self.fit()? {
            return Ok(running);
        }
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        if let Some(running) = self.fit()? {
            return Ok(running);
        }
        // An old one goes first, if nobody uses it any more.
        let old = self.slot().take();
        drop(old);
        let running = Arc::new(Running::start(&self.plan)?);
        let mut servers = servers();
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(&running));
        drop(servers);
        *self.slot() = Some(Arc::clone(&running));
        Ok(running)
    }

    fn fit(&self) -> Result<Option<Arc<Running>>> {
        let running = self.slot().clone();
        match running {
            Some(running) if running.is_fit()? => Ok(Some(running)),
            _ => Ok(None),
        }
    }

    /// It has died; whoever starts next gets another one.
    fn forget(&self, dead: &Arc<Running>) {
        let mut slot = self.slot();
        // What it leaves is collected without the lock.
        let _dropped = slot.take_if(|running| Arc::ptr_eq(running, dead));
        drop(slot);
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
