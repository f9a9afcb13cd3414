//! Start method `spawn`: a fresh copy of the program, by `exec`.

use std::{
    ffi::{CStr, CString},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use nix::libc;

use super::{
    super::{
        TargetId,
        child::Child,
        children,
        current::current,
        lifeline,
        options::{Options, c_string},
        outcome::{self, kind},
        preparation::Preparation,
    },
    ready,
};
use crate::{
    codec::{Decoder, Encoder},
    error::{Error, Result},
    event,
    ipc::{Incoming, try_recv},
    process::current_process,
    sys::{
        clone::{self, Program, Step},
        poll::{self, Deadline},
        socket,
    },
};

/// The environment variable that tells a program that it is a child. Its value is the version of the agreement
/// on which descriptors it finds open.
pub(crate) const MARK: &str = "MULTIPROCESS_CHILD";

/// How long a program that may not be one of ours has for its first word.
const GREETING: Duration = Duration::from_secs(30);

/// Starts the child and hands it its preparation.
pub(crate) fn start(
    name: &str,
    identity: Vec<u32>,
    target: TargetId,
    options: Options,
    put_args: impl FnOnce(&mut Encoder) -> Result<()>,
) -> Result<Arc<Child>> {
    ready::check()?;
    children::sweep_some();
    let daemon = options.daemon;
    let foreign = options.foreign_executable();
    if foreign.is_none() {
        ready::check_own_executable()?;
    }
    let current = current();
    let mut encoder = Encoder::default();
    encoder.put(&Preparation {
        name: name.to_owned(),
        identity,
        daemon,
        depth: current.depth() + 1,
        parent_name: current_process().name(),
        parent_pid: std::process::id(),
        on_parent_death: options.on_parent_death,
        authkey: current.authkey()?.secret().clone(),
        greet: foreign.is_some(),
        target: target.into(),
    })?;
    put_args(&mut encoder)?;
    let preparation = encoder.finish(kind::PREPARATION)?;

    let (control, childs_end) =
        socket::seqpacket_pair().map_err(|error| Error::os("make the control socket", error))?;
    // It waits on the socket for a child that is not there yet; if there never is one, it goes with the socket.
    outcome::send(&control, &preparation)?;
    let process = exec(options, foreign.as_deref(), &childs_end)?;
    drop(childs_end);

    let greeted = foreign.as_deref().map_or(Ok(()), |path| greet(path, &process, &control));
    let child = Arc::new(Child::new(name.to_owned(), target, daemon, process, control));
    if let Err(error) = greeted {
        child.signal(libc::SIGKILL)?;
        child.wait(Deadline::NEVER)?;
        return Err(error);
    }
    children::add(Arc::clone(&child));
    event::started(name, child.pid(), target.name());
    Ok(child)
}

fn exec(options: Options, foreign: Option<&Path>, control: &OwnedFd) -> Result<clone::Child> {
    let executable = match foreign {
        Some(path) => c_string(path.as_os_str())?,
        None => c"/proc/self/exe".to_owned(),
    };
    let directory = options.directory.as_ref().map(|path| c_string(path.as_os_str())).transpose()?;
    let environment = options.environment.block((MARK, "1"))?;
    let [stdin, stdout, stderr] = options.streams;
    let streams = [stdin.out_of_the_way()?, stdout.out_of_the_way()?, stderr.out_of_the_way()?];

    let lifeline = lifeline::for_child()?;
    let program = Program {
        executable: &executable,
        arguments: &borrowed(arguments()),
        environment: &environment.variables(),
        directory: directory.as_deref(),
        streams: [streams[0].as_stream(), streams[1].as_stream(), streams[2].as_stream()],
        control: control.as_fd(),
        lifeline: lifeline.as_fd(),
    };
    clone::start(&program).map_err(|(step, error)| {
        let doing = match step {
            Step::Clone => "make a process".to_owned(),
            Step::Descriptors => "put the descriptors of the child into place".to_owned(),
            Step::Directory => {
                let directory = directory.as_deref().unwrap_or_default();
                format!("enter the directory {}", directory.to_string_lossy())
            }
            Step::Execute if foreign.is_none() => "execute /proc/self/exe (is /proc mounted?)".to_owned(),
            Step::Execute => format!("execute {}", executable.to_string_lossy()),
        };
        Error::os(doing, error)
    })
}

/// The arguments of this program; a child has the same.
fn arguments() -> &'static [CString] {
    static ARGUMENTS: OnceLock<Vec<CString>> = OnceLock::new();
    // What the kernel gave us as C strings holds no NUL byte.
    ARGUMENTS.get_or_init(|| std::env::args_os().filter_map(|text| CString::new(text.as_bytes()).ok()).collect())
}

fn borrowed(strings: &[CString]) -> Vec<&CStr> {
    strings.iter().map(CString::as_c_str).collect()
}

/// Waits for the first word of a program that may not be one of ours.
fn greet(path: &Path, process: &clone::Child, control: &OwnedFd) -> Result<()> {
    let waited = poll::any_readable(&[control.as_fd(), process.pidfd.as_fd()], Deadline::after(GREETING))
        .map_err(|error| Error::os("wait for the program's first word", error))?;
    match try_recv(control)? {
        Incoming::Message(message) if message.kind() == kind::HELLO => Ok(()),
        Incoming::Message(message) if message.kind() == kind::REFUSED => {
            Err(Error::refused(Decoder::new(&message).take::<String>()?))
        }
        Incoming::Message(_) => Err(Error::protocol(format!("the first word of {} is not a greeting", path.display()))),
        Incoming::Nothing | Incoming::End => Err(Error::unsupported(match waited {
            Some(_) => format!("{} ended without a word; does it link `multiprocess`?", path.display()),
            None => format!("{} has not said a word for {GREETING:?}; does it link `multiprocess`?", path.display()),
        })),
    }
}
