//! Programs that run with more rights than whoever starts them: what their environment says does not count.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use super::{
    program::{Program, Stage},
    workbench::{Recipe, Workbench},
};

/// Two users who need not exist.
const OWNER: u32 = 54_321;
const USER: u32 = 54_322;

#[test]
fn setuid() {
    let Some(stage) = stage() else { return };
    chown(stage.program(), Some(OWNER), Some(OWNER)).expect("root may");
    fs::set_permissions(stage.program(), fs::Permissions::from_mode(0o4755)).expect("root may");
    assert_starts_nothing(&stage);
}

#[test]
fn file_capabilities() {
    let Some(stage) = stage() else { return };
    if give_capability(&stage.program()) {
        assert_starts_nothing(&stage);
    }
}

/// It was started by root, which is nothing special, and gave up what root may do: now it is the start of a
/// child that gives rights.
#[test]
fn file_capabilities_after_a_change_of_user() {
    let Some(stage) = stage() else { return };
    if !give_capability(&stage.program()) {
        return;
    }
    let user = USER.to_string();
    let (finished, mains) = stage.run(&[OsStr::new("ordinary-user"), OsStr::new(&user)], |_| {});
    let finished = finished.succeeded();
    assert!(finished.stdout.starts_with("secure false\n"), "{finished:?}");
    assert_eq!(mains, 1, "main ran in a child: {finished:?}");
    // The child has seen what it is, and has left.
    assert!(finished.stdout.contains("\nended code Some(76): "), "{finished:?}");
}

fn assert_starts_nothing(stage: &Stage) {
    let (finished, mains) = stage.run(&[OsStr::new("privileged")], |command| {
        command.env("MULTIPROCESS_CHILD", "1").uid(USER).gid(USER);
    });
    let finished = finished.succeeded();
    let Some(rest) = finished.stdout.strip_prefix("secure true\n") else {
        println!("skipped: {} is on a file system that gives no rights", stage.program().display());
        return;
    };
    assert!(rest.starts_with("variable false\nunsupported true: "), "{finished:?}");
    assert!(rest.ends_with("\nchildren false\n"), "{finished:?}");
    assert_eq!(mains, 1, "main ran in a child: {finished:?}");
}

fn stage() -> Option<Stage> {
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() != 0) {
        println!("skipped: only root can make a program that gives rights");
        return None;
    }
    let file = Workbench::open().build("app", "app", &Recipe { name: "privileged", ..Recipe::default() });
    let copy = |place: &Path| {
        fs::copy(&file, place).expect("the program was built");
    };
    Some(Program::at(file.clone()).stage(copy))
}

fn give_capability(program: &Path) -> bool {
    let mut setcap = Command::new("setcap");
    setcap.arg("cap_net_bind_service=ep").arg(program);
    let given = setcap.output().is_ok_and(|output| output.status.success());
    if !given {
        println!("skipped: setcap is not installed, or not allowed on {}", program.display());
    }
    given
}
