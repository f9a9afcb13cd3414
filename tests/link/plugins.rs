//! A runtime that is not part of the main program but of a library that it loads: no child of that program
//! would be taken, so none is started.

use std::{ffi::OsStr, process::Command};

use super::{
    program::Program,
    workbench::{Recipe, Workbench},
};

const REFUSAL: &str = "plugin unsupported true: cannot start process 'Process-1'";

#[test]
fn in_a_program_that_is_not_ours() {
    let workbench = Workbench::open();
    let recipe = Recipe { name: "foreign-host", ..Recipe::default() };
    let plugin = workbench.build("plugin", "libplugin.so", &recipe);
    let host = plugin.with_file_name("host");
    let mut compile = Command::new("cc");
    compile.arg("-o").arg(&host).arg(workbench.sources().join("plugin/host.c")).arg("-ldl");
    workbench.finish(&mut compile);
    drop(workbench);

    let (finished, mains) = Program::at(host).run(&[plugin.as_os_str()]);
    let finished = finished.succeeded();
    assert!(finished.stdout.starts_with(REFUSAL), "{finished:?}");
    assert!(finished.stdout.contains("link `multiprocess` into the program itself"), "{finished:?}");
    assert!(finished.stdout.ends_with("\nchildren false\n"), "{finished:?}");
    assert_eq!(mains, 1, "{finished:?}");
}

#[test]
fn in_a_program_that_has_a_runtime_of_its_own() {
    let workbench = Workbench::open();
    let recipe = Recipe { name: "own-host", ..Recipe::default() };
    let plugin = workbench.build("plugin", "libplugin.so", &recipe);
    let host = workbench.app(&recipe);
    drop(workbench);

    let (finished, mains) = host.run(&[OsStr::new("plugin"), plugin.as_os_str()]);
    let finished = finished.succeeded();
    assert!(finished.stdout.starts_with(REFUSAL), "{finished:?}");
    // The program's own targets are none the worse for it.
    assert!(finished.stdout.ends_with("\nvalue 6\nchildren false\n"), "{finished:?}");
    assert_eq!(mains, 1, "{finished:?}");
}
