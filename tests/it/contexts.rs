//! How processes are started, as a value: what a context says holds for all that it makes.

use std::{env, path::PathBuf, str::FromStr, time::Duration};

use multiprocess::{self as mp, StartMethod};

use super::support::{increment, wait_for_ever, watchdog};

/// Where the code of this function lies: the same in all copies of one server, another in each program that was executed.
#[mp::process_target]
pub(crate) fn place_of_code() -> usize {
    watchdog as *const () as usize
}

/// Whether a context's processes are copies of one process.
fn are_copies(start: impl Fn() -> mp::Result<mp::Process<usize>>) -> mp::Result<bool> {
    let places = (0..4).map(|_| Ok(start()?.join()?)).collect::<mp::Result<Vec<_>>>()?;
    Ok(places.iter().all(|place| *place == places[0]))
}

#[test]
fn start_methods_have_pythons_names() {
    assert_eq!(mp::all_start_methods(), [StartMethod::Spawn, StartMethod::ForkServer]);
    assert_eq!(StartMethod::default(), StartMethod::Spawn);
    for method in mp::all_start_methods() {
        assert_eq!(StartMethod::from_str(&method.to_string()).unwrap(), *method);
    }
    let error = StartMethod::from_str("fork").unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("unsound"), "{error}");
    assert!(StartMethod::from_str("Spawn").unwrap_err().to_string().contains("`spawn` or `forkserver`"));
}

#[test]
fn a_context_says_how_its_processes_start() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (spawn, forkserver) = (mp::Context::spawn(), mp::Context::forkserver());
    assert_eq!(spawn.start_method(), StartMethod::Spawn);
    assert_eq!(forkserver.start_method(), StartMethod::ForkServer);
    assert!(!are_copies(|| spawn.start(place_of_code, ()))?);
    assert!(are_copies(|| forkserver.start(place_of_code, ()))?);
    // Each process may be started otherwise.
    assert!(are_copies(|| spawn.process(place_of_code, ()).start_method(StartMethod::ForkServer).start())?);
    assert!(!are_copies(|| forkserver.process(place_of_code, ()).start_method(StartMethod::Spawn).start())?);
    // Servers of their own are servers of their own.
    let (one, other) = (mp::Context::forkserver().warm(1), mp::Context::forkserver().warm(1));
    assert_ne!(one.start(place_of_code, ())?.join()?, other.start(place_of_code, ())?.join()?);
    assert_ne!(one.server_pid(), other.server_pid());
    assert_eq!(one.server_pid(), one.clone().server_pid());
    Ok(())
}

type Settings = (Option<String>, Option<String>, PathBuf, bool);

#[mp::process_target]
fn settings() -> Settings {
    let variable = |name| env::var(name).ok();
    (variable("MP_ONE"), variable("MP_TWO"), env::current_dir().unwrap(), mp::current_process().is_daemon())
}

#[test]
fn what_a_context_says_holds_for_all_and_each_may_differ() -> mp::Result<()> {
    let _watchdog = watchdog();
    for method in mp::all_start_methods() {
        let context = mp::Context::new(*method)
            .env_clear()
            .env("MP_ONE", "1")
            .env("MP_TWO", "2")
            .env_remove("MP_TWO")
            .current_dir("/proc")
            .daemon(true);
        let expected = (Some("1".to_owned()), None, PathBuf::from("/proc"), true);
        assert_eq!(context.start(settings, ())?.join()?, expected);
        assert_eq!(context.process(settings, ()).start()?.join()?, expected);
        let differs =
            context.process(settings, ()).env("MP_ONE", "x").env("MP_TWO", "y").current_dir("/").daemon(false);
        let expected = (Some("x".to_owned()), Some("y".to_owned()), PathBuf::from("/"), false);
        assert_eq!(differs.start()?.join()?, expected);
        // What a context says of itself does not depend on what came before: a copy with another plan keeps the rest.
        assert_eq!(context.warm(1).start(settings, ())?.join()?.0.as_deref(), Some("1"));
    }
    Ok(())
}

#[test]
fn handles_of_a_context_can_kill_when_they_are_dropped() -> mp::Result<()> {
    let _watchdog = watchdog();
    for method in mp::all_start_methods() {
        let child = mp::Context::new(*method).kill_on_drop(true).start(wait_for_ever, ())?;
        let path = format!("/proc/{}", child.pid());
        drop(child);
        super::support::eventually("the dropped child's end", || !std::path::Path::new(&path).exists());
    }
    Ok(())
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Double(u64);

#[mp::process_target]
impl mp::Job for Double {
    fn run(self) -> u64 {
        2 * self.0
    }
}

#[test]
fn a_context_makes_jobs_and_pools() -> mp::Result<()> {
    let _watchdog = watchdog();
    for method in mp::all_start_methods() {
        let context = mp::Context::new(*method).env("MP_ONE", "1");
        assert_eq!(context.job(Double(4)).start()?.join()?, 8);
        let pool = context.pool().workers(2).build()?;
        assert_eq!(pool.map(increment, 0..100)?, (1..=100).collect::<Vec<_>>());
        assert_eq!(pool.call(settings, ())?.0.as_deref(), Some("1"));
        let workers = mp::Pool::builder().workers(3).start_method(*method).build()?;
        let places = workers.map(place_of_code_of, 0..30)?;
        assert_eq!(places.iter().all(|place| *place == places[0]), *method == StartMethod::ForkServer);
    }
    Ok(())
}

/// Long enough for all workers to have one.
#[mp::process_target]
fn place_of_code_of(_item: u32) -> usize {
    super::support::spin(Duration::from_millis(5));
    place_of_code()
}

#[mp::process_target]
fn sets_the_default() -> mp::Result<(bool, bool, StartMethod, Option<StartMethod>)> {
    #[mp::process_target]
    fn inherited() -> StartMethod {
        mp::Context::of_program().start_method()
    }
    let other = match mp::Context::of_program().start_method() {
        StartMethod::Spawn => StartMethod::ForkServer,
        StartMethod::ForkServer => StartMethod::Spawn,
    };
    mp::Context::new(other).env("MP_ONE", "1").warm(1).set_default()?;
    let copies = are_copies(|| mp::spawn(place_of_code, ()))?;
    let refused = mp::Context::spawn().set_default().is_err_and(|error| error.is_invalid_input());
    let said = mp::spawn(settings, ())?.join()?.0.as_deref() == Some("1");
    let of_child = mp::spawn(inherited, ())?.join()?;
    Ok((copies == (other == StartMethod::ForkServer), refused && said, of_child, Some(other)))
}

#[test]
fn a_program_has_a_context_that_is_set_once_and_its_children_have_the_method() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (took, once, of_child, other) = mp::spawn(sets_the_default, ())?.join()??;
    assert!(took && once);
    assert_eq!(Some(of_child), other);
    Ok(())
}

#[test]
fn another_program_is_executed_whatever_the_method() -> mp::Result<()> {
    let _watchdog = watchdog();
    let own = env::current_exe().unwrap();
    let context = mp::Context::forkserver();
    assert!(!are_copies(|| context.process(place_of_code, ()).executable(&own).start())?);
    Ok(())
}

#[test]
fn a_context_shows_itself() {
    let context = mp::Context::forkserver().warm(3);
    assert_eq!(format!("{context:?}"), "Context { start_method: ForkServer, warm: 3, preloads: 0, .. }");
}
