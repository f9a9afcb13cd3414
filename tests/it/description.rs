//! What can be said about a process before it starts, and what it then finds.

use std::{
    fs::File,
    io::{Read, Write},
};

use multiprocess as mp;

use super::support::{increment, wait_for_ever, watchdog};

type Names = (String, String, Option<String>);

#[mp::process_target]
fn names() -> Names {
    let child = mp::Process::new(increment, (1,)).start().unwrap();
    let parent = mp::parent_process().map(|parent| parent.name().to_owned());
    (mp::current_process().name(), child.name(), parent)
}

#[test]
fn default_names_count_and_nest() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn in_a_process_of_its_own() -> Vec<Names> {
        (0..2).map(|_| mp::spawn(names, ()).unwrap().join().unwrap()).collect()
    }
    let child = mp::Process::new(in_a_process_of_its_own, ()).name("top").start()?;
    let found = child.join()?;
    // The number of `top` itself depends on the other tests of this process.
    let number = |name: &str| name.trim_start_matches("Process-").split(':').map(str::to_owned).collect::<Vec<_>>();
    let top = number(&found[0].0)[0].clone();
    let expected = |n: u32| (format!("Process-{top}:{n}"), format!("Process-{top}:{n}:1"), Some("top".to_owned()));
    assert_eq!(found, [expected(1), expected(2)]);
    Ok(())
}

#[test]
fn names_may_be_anything_and_change() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn rename() -> (String, String) {
        let this = mp::current_process();
        let before = this.name();
        this.set_name("other");
        (before, mp::current_process().name())
    }
    let long = "ü\0".repeat(40_000);
    for name in ["", "a b\nc", &long] {
        let child = mp::Process::new(rename, ()).name(name).start()?;
        assert_eq!(child.join()?, (name.to_owned(), "other".to_owned()));
        assert_eq!(child.name(), name);
        child.set_name("mine");
        assert_eq!(child.name(), "mine");
    }
    Ok(())
}

#[test]
fn the_kernel_shows_the_name() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn comm() -> String {
        std::fs::read_to_string("/proc/self/comm").unwrap()
    }
    assert_eq!(mp::Process::new(comm, ()).name("shown by top").start()?.join()?, "shown by top\n");
    Ok(())
}

#[test]
fn daemons_are_inherited_and_may_have_children() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn is_daemon() -> bool {
        mp::current_process().is_daemon()
    }
    #[mp::process_target]
    fn with_child() -> (bool, bool, bool) {
        let inherits = mp::spawn(is_daemon, ()).unwrap();
        let differs = mp::Process::new(is_daemon, ()).daemon(false).start().unwrap();
        (mp::current_process().is_daemon(), inherits.join().unwrap(), differs.join().unwrap())
    }
    let child = mp::Process::new(with_child, ()).daemon(true).start()?;
    assert!(child.is_daemon());
    assert_eq!(child.join()?, (true, true, false));
    assert_eq!(mp::spawn(with_child, ())?.join()?, (false, false, false));
    Ok(())
}

#[test]
fn the_environment_is_inherited_and_can_be_changed() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn variables() -> Vec<(String, String)> {
        std::env::vars().collect()
    }
    let inherited: Vec<_> = std::env::vars().collect();
    let mut found = mp::spawn(variables, ())?.join()?;
    found.sort();
    let mut expected = inherited.clone();
    expected.sort();
    assert_eq!(found, expected, "nothing of ours is left in it");

    let first = inherited[0].0.clone();
    let child =
        mp::Process::new(variables, ()).env("MP_A", "1").envs([("MP_B", "2"), ("MP_A", "3")]).env_remove(&first);
    let found = child.start()?.join()?;
    assert!(found.contains(&("MP_A".into(), "3".into())) && found.contains(&("MP_B".into(), "2".into())));
    assert!(!found.iter().any(|(key, _)| *key == first));

    let found = mp::Process::new(variables, ()).env("MP_A", "1").env_clear().env("MP_C", "=").start()?.join()?;
    assert_eq!(found, [("MP_C".to_owned(), "=".to_owned())]);

    for (key, value) in [("", "x"), ("a=b", "x"), ("a\0", "x"), ("a", "x\0")] {
        let error = mp::Process::new(variables, ()).env(key, value).start().unwrap_err();
        assert!(error.is_invalid_input(), "{error}");
    }
    Ok(())
}

#[test]
fn arguments_and_directory_stay_the_parents() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn place() -> (Vec<String>, std::path::PathBuf, std::path::PathBuf) {
        (std::env::args().collect(), std::env::current_dir().unwrap(), std::env::current_exe().unwrap())
    }
    let expected =
        (std::env::args().collect::<Vec<_>>(), std::env::current_dir().unwrap(), std::env::current_exe().unwrap());
    assert_eq!(mp::spawn(place, ())?.join()?, expected);
    let found = mp::Process::new(place, ()).current_dir("/proc").start()?.join()?;
    assert_eq!(found.1, std::path::Path::new("/proc"));
    let error = mp::Process::new(place, ()).current_dir("/no/such").start().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(2));
    assert!(error.to_string().contains("enter the directory /no/such"), "{error}");
    Ok(())
}

#[mp::process_target]
fn copy_through() -> usize {
    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input).unwrap();
    print!("out:{input}");
    eprint!("err:{input}");
    read
}

#[test]
fn standard_streams_are_what_was_asked_for() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut out, out_writer) = std::io::pipe().unwrap();
    let (mut err, err_writer) = std::io::pipe().unwrap();
    let (input, mut input_writer) = std::io::pipe().unwrap();
    let child = mp::Process::new(copy_through, ()).stdin(input).stdout(out_writer).stderr(err_writer).start()?;
    input_writer.write_all(b"hello").unwrap();
    drop(input_writer);
    assert_eq!(child.join()?, 5);
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap(); // what `print!` buffers is flushed at the child's end
    err.read_to_string(&mut text).unwrap();
    assert_eq!(text, "out:helloerr:hello");
    Ok(())
}

#[test]
fn stdin_is_empty_unless_asked_for() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::Process::new(copy_through, ()).stdout(mp::Stdio::null()).start()?.join()?, 0);
    Ok(())
}

/// Closes its own standard streams and then starts a child that uses them.
#[mp::process_target]
fn without_streams(broken: bool) -> usize {
    if broken {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        for fd in 1..3 {
            super::support::put_at(&writer, fd);
        }
        return mp::spawn(chatter, ()).unwrap().join().unwrap();
    }
    for fd in 0..3 {
        nix::unistd::close(fd).unwrap();
    }
    mp::spawn(chatter, ()).unwrap().join().unwrap()
}

#[mp::process_target]
fn chatter() -> usize {
    writeln!(std::io::stdout(), "x").ok();
    writeln!(std::io::stderr(), "x").ok();
    std::io::stdin().read_to_string(&mut String::new()).unwrap()
}

#[test]
fn closed_and_broken_streams_do_no_harm() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(without_streams, (false,))?.join()?, 0);
    assert_eq!(mp::spawn(without_streams, (true,))?.join()?, 0);
    Ok(())
}

#[test]
fn no_descriptor_is_inherited_by_accident() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn open_descriptors() -> Vec<String> {
        super::support::owned().fds
    }
    #[mp::process_target]
    fn with_leaky_descriptors() -> Vec<String> {
        let file = File::open("/dev/zero").unwrap();
        // Copies without close-on-exec, low and high, as a C library would leave them.
        for fd in [9, 77, 200] {
            super::support::put_at(&file, fd);
        }
        mp::spawn(open_descriptors, ()).unwrap().join().unwrap()
    }
    let found = mp::spawn(with_leaky_descriptors, ())?.join()?;
    assert!(!found.iter().any(|fd| fd.contains("/dev/zero")), "{found:?}");
    assert_eq!(found.len(), 5, "stdin, stdout, stderr, control, lifeline: {found:?}");
    Ok(())
}

#[test]
fn another_program_must_be_one_of_ours() -> mp::Result<()> {
    let _watchdog = watchdog();
    let own = std::env::current_exe().unwrap();
    assert_eq!(mp::Process::new(increment, (1,)).executable(&own).start()?.join()?, 2);
    for (path, errno) in [("/no/such/program", 2), ("/etc/passwd", 13)] {
        let error = mp::Process::new(increment, (1,)).executable(path).start().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    }
    let error = mp::Process::new(increment, (1,)).executable("/bin/true").start().unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("does it link"), "{error}");
    Ok(())
}

#[test]
fn a_start_that_fails_leaves_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn fails_often() -> bool {
        let attempt = || mp::Process::new(wait_for_ever, ()).executable("/no/such/program").start().unwrap_err();
        attempt();
        let before = super::support::owned();
        for _ in 0..50 {
            attempt();
        }
        before == super::support::owned()
    }
    assert!(mp::spawn(fails_often, ())?.join()?);
    Ok(())
}

#[test]
fn authkeys_are_shared_by_a_program() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn authkey() -> Vec<u8> {
        mp::current_process().authkey().unwrap().as_bytes().to_vec()
    }
    let own = mp::current_process().authkey()?;
    assert_eq!(own.as_bytes().len(), 32);
    assert_ne!(own.as_bytes(), [0; 32]);
    assert_eq!(mp::spawn(authkey, ())?.join()?, own.as_bytes());
    assert_eq!(format!("{own:?}"), "AuthKey(…)");

    #[mp::process_target]
    fn hands_on_another() -> (Vec<u8>, Vec<u8>) {
        let before = authkey();
        mp::current_process().set_authkey(b"another".to_vec());
        (before, mp::spawn(authkey, ()).unwrap().join().unwrap())
    }
    assert_eq!(mp::spawn(hands_on_another, ())?.join()?, (own.as_bytes().to_vec(), b"another".to_vec()));
    Ok(())
}

#[test]
fn signals_are_as_a_new_program_expects_them() -> mp::Result<()> {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
    let _watchdog = watchdog();
    #[mp::process_target]
    fn blocked_and_ignored() -> (u64, u64) {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
        let mask = |key| u64::from_str_radix(&line(key), 16).unwrap();
        (mask("SigBlk:"), mask("SigIgn:"))
    }
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).unwrap();
    let child = mp::spawn(blocked_and_ignored, ())?;
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None).unwrap();
    let pipe = 1_u64 << (Signal::SIGPIPE as u64 - 1);
    // What whoever started the tests has ignored stays ignored, as after any `exec`.
    let ignored = blocked_and_ignored().1 & !(1 << (Signal::SIGCHLD as u64 - 1));
    assert_eq!(child.join()?, (0, ignored | pipe));
    Ok(())
}
