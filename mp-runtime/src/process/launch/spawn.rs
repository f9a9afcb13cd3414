//! Start method `spawn`: a fresh copy of the program, by `exec`.

use std::{
    ffi::{CStr, CString},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::OnceLock,
    time::Duration,
};

use nix::libc;

use super::{
    super::{
        lifeline,
        options::{Block, Options, c_string},
        outcome::{self, kind},
    },
    start::Started,
};
use crate::{
    codec::{Decoder, Encoded},
    error::{Error, Result},
    ipc::{Incoming, try_recv},
    sys::{
        clone::{self, Program, Step},
        pidfd,
        poll::{self, Deadline},
        socket,
    },
};

/// The environment variable that tells a program that it is a child. Its value is the version of the agreement
/// on which descriptors it finds open.
pub(crate) const MARK: &str = "MULTIPROCESS_CHILD";

/// How long a program that may not be one of ours has for its first word.
const GREETING: Duration = Duration::from_secs(30);

/// Executes the program, with its preparation waiting for it.
pub(super) fn start(options: Options, foreign: Option<&Path>, preparation: &Encoded) -> Result<Started> {
    let (control, childs_end) =
        socket::seqpacket_pair().map_err(|error| Error::os("make the control socket", error))?;
    // It waits on the socket for a child that is not there yet; if there never is one, it goes with the socket.
    for preload in options.launch.preloads.iter() {
        outcome::send(&control, preload.message()?)?;
    }
    outcome::send(&control, preparation)?;
    let environment = options.environment.block()?;
    let process = exec(options, foreign, environment, &childs_end)?;
    drop(childs_end);
    if let Some(path) = foreign
        && let Err(error) = greet(path, &process, &control)
    {
        pidfd::send_signal(&process.pidfd, libc::SIGKILL).ok();
        clone::reap(&process);
        return Err(error);
    }
    Ok(Started { process, control, said: Vec::new() })
}

/// Executes this program, or another, as a child that finds `control` open.
pub(super) fn exec(
    options: Options,
    foreign: Option<&Path>,
    mut environment: Block,
    control: &OwnedFd,
) -> Result<clone::Child> {
    let executable = match foreign {
        Some(path) => c_string(path.as_os_str())?,
        None => c"/proc/self/exe".to_owned(),
    };
    let directory = options.directory.as_ref().map(|path| c_string(path.as_os_str())).transpose()?;
    environment.push(MARK.as_ref(), "1".as_ref());
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
