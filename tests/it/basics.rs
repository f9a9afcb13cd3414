//! Python's table, §1: a process from its description to its result.

use std::{collections::HashMap, process::ExitCode, time::Duration};

use multiprocess::{self as mp, Target};
use serde::{Deserialize, Serialize};

use super::support::{gate, increment, wait_at, wait_for_ever, watchdog};

#[test]
fn a_function_runs_in_another_process_and_its_result_comes_back() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn pid() -> u32 {
        std::process::id()
    }
    let child = mp::spawn(pid, ())?;
    let answer = child.join()?;
    assert_eq!(answer, child.pid());
    assert_ne!(answer, std::process::id());
    Ok(())
}

#[test]
fn the_annotated_function_is_still_a_function() {
    assert_eq!(increment(1), 2);
    assert_eq!([1, 2].map(*increment), [2, 3]);
    assert_eq!(mp::Process::new(increment, (1,)).run().unwrap(), 2);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(u8),
    Tuple(i64, String),
    Struct { map: HashMap<String, Vec<Option<f64>>>, nothing: () },
}

#[test]
fn any_owned_serde_value_is_an_argument_and_a_result() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn echo(
        shapes: Vec<Shape>,
        text: String,
        byte: u8,
        flag: bool,
        letter: char,
    ) -> (Vec<Shape>, String, u8, bool, char) {
        (shapes, text, byte, flag, letter)
    }
    let map = HashMap::from([("a".to_owned(), vec![Some(1.5), None]), (String::new(), vec![])]);
    let shapes = vec![Shape::Unit, Shape::New(9), Shape::Tuple(-5, "é".into()), Shape::Struct { map, nothing: () }];
    let args = (shapes, "text\0with NUL".to_owned(), 255, true, '∀');
    assert_eq!(mp::spawn(echo, args.clone())?.join()?, args);
    Ok(())
}

#[test]
fn a_result_that_is_an_error_is_a_value() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn parse(text: String) -> Result<u32, String> {
        text.parse().map_err(|error: std::num::ParseIntError| error.to_string())
    }
    assert_eq!(mp::spawn(parse, ("12".into(),))?.join()?, Ok(12));
    assert_eq!(mp::spawn(parse, ("x".into(),))?.join()?, Err("invalid digit found in string".into()));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Power {
    base: u64,
    exponent: u32,
}

#[mp::process_target]
impl mp::Job for Power {
    fn run(self) -> u64 {
        self.base.pow(self.exponent)
    }
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    name: String,
}

#[mp::process_target]
impl Greeting {
    fn run(self) -> String {
        format!("hello {}", self.name)
    }
}

#[test]
fn a_struct_is_named_arguments() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::Process::job(Power { base: 2, exponent: 10 }).start()?.join()?, 1024);
    assert_eq!(mp::Process::job(Greeting { name: "you".into() }).start()?.join()?, "hello you");
    Ok(())
}

#[test]
fn two_functions_of_one_name_in_two_bodies_are_two_targets() -> mp::Result<()> {
    let _watchdog = watchdog();
    let one = {
        #[mp::process_target]
        fn which() -> u8 {
            1
        }
        mp::spawn(which, ())?
    };
    let two = {
        #[mp::process_target]
        fn which() -> u8 {
            2
        }
        mp::spawn(which, ())?
    };
    assert_eq!((one.join()?, two.join()?), (1, 2));
    Ok(())
}

#[test]
fn targets_that_cannot_be_told_apart_are_refused() -> mp::Result<()> {
    let _watchdog = watchdog();
    macro_rules! two {
        () => {
            fn start_one() -> mp::Result<mp::Process<u8>> {
                #[mp::process_target]
                fn same() -> u8 {
                    1
                }
                mp::spawn(same, ())
            }
            fn start_other() -> mp::Result<mp::Process<u8>> {
                #[mp::process_target]
                fn same() -> u8 {
                    2
                }
                mp::spawn(same, ())
            }
        };
    }
    two!();
    for child in [start_one()?, start_other()?] {
        let error = child.join().unwrap_err();
        assert!(matches!(error, mp::JoinError::Refused(..)), "never the other's result: {error}");
        assert!(error.to_string().contains("stands more than once at"), "{error}");
    }
    Ok(())
}

#[test]
fn an_explicit_name_is_the_targets_name() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target(name = "arithmetic/negate")]
    fn negate(x: i32) -> i32 {
        -x
    }
    assert_eq!(negate.id().name(), "arithmetic/negate");
    assert_eq!(mp::spawn(negate, (5,))?.join()?, -5);
    Ok(())
}

#[test]
fn the_same_answer_however_often_it_is_asked() -> mp::Result<()> {
    let _watchdog = watchdog();
    let child = mp::spawn(increment, (1,))?;
    assert_eq!(child.join()?, 2);
    assert_eq!(child.join()?, 2);
    assert_eq!(child.try_join().unwrap()?, 2);
    assert_eq!(child.join_timeout(Duration::MAX).unwrap()?, 2);
    Ok(())
}

#[test]
fn a_join_with_a_timeout_gives_up_and_can_be_asked_again() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (closed, gate) = gate();
    let child = mp::spawn(wait_at, (closed,))?;
    assert!(child.try_join().is_none());
    assert!(child.join_timeout(Duration::from_millis(5)).is_none());
    assert!(child.is_alive());
    assert!(child.exit_status().is_none());
    assert!(child.rusage().is_none());
    drop(gate);
    child.join_timeout(Duration::from_secs(100)).unwrap()?;
    assert!(!child.is_alive());
    assert!(child.exit_status().unwrap().success());
    assert!(child.rusage().unwrap().max_rss() > 0);
    Ok(())
}

#[test]
fn many_threads_may_join_one_child() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (closed, gate) = gate();
    let child = mp::spawn(wait_at, (closed,))?;
    std::thread::scope(|scope| {
        let joins: Vec<_> = (0..8).map(|_| scope.spawn(|| child.join())).collect();
        drop(gate);
        for join in joins {
            join.join().unwrap().unwrap();
        }
    });
    Ok(())
}

#[test]
fn signals_reach_a_running_child_and_no_other() -> mp::Result<()> {
    let _watchdog = watchdog();
    type Send = fn(&mp::Process<()>) -> mp::Result<()>;
    let ways: [(Send, i32); 4] = [
        (|child| child.terminate(), 15),
        (|child| child.kill(), 9),
        (|child| child.interrupt(), 2),
        (|child| child.signal(10), 10),
    ];
    for (send, signal) in ways {
        let child = mp::spawn(wait_for_ever, ())?;
        send(&child)?;
        let error = child.join().unwrap_err();
        assert!(matches!(error, mp::JoinError::Killed(_)), "{error}");
        assert_eq!(error.ended().signal(), Some(signal));
        assert_eq!(child.exit_status().unwrap().as_python(), -signal);
        send(&child)?; // does nothing any more
    }
    let child = mp::spawn(wait_for_ever, ())?;
    assert_eq!(child.signal(4711).unwrap_err().raw_os_error(), Some(22));
    child.kill()
}

#[test]
fn a_pidfd_tells_of_the_end() -> mp::Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let _watchdog = watchdog();
    let (closed, gate) = gate();
    let child = mp::spawn(wait_at, (closed,))?;
    let mut fds = [PollFd::new(child.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::ZERO), Ok(0));
    drop(gate);
    assert_eq!(poll(&mut fds, PollTimeout::NONE), Ok(1));
    child.join()?;
    assert_eq!(poll(&mut fds, PollTimeout::NONE), Ok(1)); // stays valid
    Ok(())
}

#[test]
fn an_exit_code_is_success_or_an_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn code(number: u8) -> ExitCode {
        ExitCode::from(number)
    }
    mp::spawn(code, (0,))?.join()?;
    let error = mp::spawn(code, (42,))?.join().unwrap_err();
    assert!(matches!(error, mp::JoinError::Exited(_)));
    assert_eq!(error.ended().code(), Some(42));
    assert_eq!(mp::Process::new(code, (7,)).run().unwrap_err().ended().code(), Some(7));
    assert_eq!(code(3), ExitCode::from(3));
    Ok(())
}

#[test]
fn children_that_nobody_holds_go_on() -> mp::Result<()> {
    let _watchdog = watchdog();
    // In a process of its own: the harness's other tests have children too.
    #[mp::process_target]
    fn drops_a_handle() -> (usize, Vec<String>, bool, usize) {
        let (closed, gate) = gate();
        drop(mp::Process::new(wait_at, (closed,)).name("forgotten").start().unwrap());
        let names = mp::active_children().iter().map(mp::Process::name).collect();
        let running = mp::active_children().len();
        drop(gate);
        let child = mp::active_children().pop();
        let ended_well = child.is_none_or(|child| child.join().is_ok());
        (running, names, ended_well, mp::active_children().len())
    }
    assert_eq!(mp::spawn(drops_a_handle, ())?.join()?, (1, vec!["forgotten".to_owned()], true, 0));
    Ok(())
}

#[test]
fn a_handle_can_kill_when_it_is_dropped() -> mp::Result<()> {
    let _watchdog = watchdog();
    let child = mp::Process::new(wait_for_ever, ()).kill_on_drop(true).start()?;
    let pid = child.pid();
    drop(child);
    super::support::eventually("the dropped child's end", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    Ok(())
}

#[test]
fn a_detached_child_is_nobodys() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn detaches() -> usize {
        mp::spawn(wait_for_ever, ()).unwrap().detach();
        mp::active_children().len()
    }
    // It returns although its child never does, and the child dies with it.
    assert_eq!(mp::spawn(detaches, ())?.join()?, 0);
    Ok(())
}

#[test]
fn a_handle_shows_itself() -> mp::Result<()> {
    let _watchdog = watchdog();
    let description = mp::Process::new(wait_for_ever, ()).name("shown").daemon(true);
    assert!(format!("{description:?}").contains(r#"name: "shown""#));
    let child = description.start()?;
    let shown = format!("{child:?}");
    assert!(shown.contains(&format!(r#"name: "shown", pid: {}"#, child.pid())), "{shown}");
    assert!(shown.contains(r#"state: started, daemon: true"#), "{shown}");
    child.terminate()?;
    child.join().unwrap_err();
    assert!(format!("{child:?}").contains("state: stopped, signal SIGTERM"));
    Ok(())
}
