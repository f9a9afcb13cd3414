//! The same program in every kind of build, and with the hook at either end of `.init_array`.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    elf::Elf,
    program::{Program, tour},
    workbench::{Recipe, Workbench},
};

/// How a child that panicked ends.
#[derive(Clone, Copy)]
enum Panics {
    Unwind,
    Abort,
}

/// The three kinds of constructors, by parts of their symbols.
const HOOK: [&str; 3] = ["10mp_runtime", "9bootstrap", "4hook"];
const EARLY: [&str; 1] = ["12constructors5early"];
const PLAIN: [&str; 1] = ["12constructors5plain"];
/// A constructor that does nothing.
const IDLE: [&str; 1] = ["link_test_idle"];

#[test]
fn profiles() {
    let optimised = Recipe { release: true, ..Recipe::default() };
    check(&Recipe { name: "debug", ..Recipe::default() }, Panics::Unwind);
    check(&Recipe { name: "release", ..optimised }, Panics::Unwind);
    let fat = [("LTO", "fat"), ("CODEGEN_UNITS", "1")];
    check(&Recipe { name: "fat-lto", profile: &fat, ..optimised }, Panics::Unwind);
    let small = [("LTO", "fat"), ("CODEGEN_UNITS", "1"), ("PANIC", "abort")];
    check(&Recipe { name: "fat-lto-abort", profile: &small, ..optimised }, Panics::Abort);
    check(&Recipe { name: "abort", profile: &[("PANIC", "abort")], ..Recipe::default() }, Panics::Abort);
}

#[test]
fn linkers() {
    for linker in linkers_here() {
        let flags = linker.flags();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let program = check(&Recipe { name: linker.name, flags: &flags, ..Recipe::default() }, Panics::Unwind);
        assert_eq!(made_by(&program.elf()), linker.maker);
        let flags: Vec<_> = flags.into_iter().chain(["-Crelocation-model=static"]).collect();
        let name = format!("{}-fixed", linker.name);
        let program = check(&Recipe { name: &name, flags: &flags, ..Recipe::default() }, Panics::Unwind);
        assert!(!program.elf().is_position_independent() && program.elf().is_dynamic());
    }
    if !RUST_LLD {
        println!("skipped: the constructors in reverse order, which only lld offers");
        return;
    }
    let recipe = Recipe {
        name: "reversed",
        flags: &["-Clink-arg=-Wl,--shuffle-sections=.init_array=-1", "-Clink-arg=-Wl,--icf=all"],
        ..Recipe::default()
    };
    let elf = check(&recipe, Panics::Unwind).elf();
    assert!(elf.constructor(&HOOK) < elf.constructor(&PLAIN), "the hook stands before the targets of the program");
}

#[test]
fn without_a_dynamic_linker() {
    if !has_static_libc() {
        println!("skipped: static programs, there is no libc.a");
        return;
    }
    let relocatable = Recipe { name: "static-pie", flags: &["-Ctarget-feature=+crt-static"], ..Recipe::default() };
    let elf = check(&relocatable, Panics::Unwind).elf();
    assert!(elf.is_position_independent() && !elf.is_dynamic());

    // What mold 1.10 makes of any static program at a fixed address crashes in the C library's start-up code.
    for linker in linkers_here().into_iter().filter(|linker| linker.name != "mold") {
        let flags = linker.flags();
        let fixed = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];
        let flags: Vec<_> = flags.iter().map(String::as_str).chain(fixed).collect();
        let name = format!("{}-static-fixed", linker.name);
        let elf = check(&Recipe { name: &name, flags: &flags, ..Recipe::default() }, Panics::Unwind).elf();
        assert!(!elf.is_position_independent() && !elf.has_dynamic_section());
    }
}

#[test]
fn with_less_in_it_or_more() {
    let recipe = Recipe { name: "gc", flags: &["-Clink-arg=-Wl,--gc-sections"], ..Recipe::default() };
    check(&recipe, Panics::Unwind);
    let recipe = Recipe { name: "stripped", release: true, flags: &["-Cstrip=symbols"], ..Recipe::default() };
    assert!(check(&recipe, Panics::Unwind).elf().is_stripped());
    let recipe = Recipe { name: "shared-std", flags: &["-Cprefer-dynamic", "-Crpath"], ..Recipe::default() };
    let elf = check(&recipe, Panics::Unwind).elf();
    let needed = String::from_utf8_lossy(elf.section(".dynstr").unwrap_or_default()).into_owned();
    assert!(needed.contains("libstd-"), "std is a library of its own");
}

/// Builds the program and lets it start its children: as it was linked, with the hook as the first constructor
/// and as the last one; and, without the hook, lets it try.
fn check(recipe: &Recipe<'_>, panics: Panics) -> Program {
    println!("{}", recipe.name);
    let program = Workbench::open().app(recipe);
    let elf = program.elf();
    let Some(hook) = elf.constructor(&HOOK) else {
        assert!(elf.is_stripped(), "{}: a program has the hook", recipe.name);
        assert_tour(&program, &elf, panics);
        return program;
    };
    assert_tour(&program, &elf, panics);
    for place in [0, elf.constructors().len() - 1] {
        let mut moved = program.elf();
        moved.move_constructor(hook, place);
        assert_eq!(moved.constructor(&HOOK), Some(place));
        assert_tour(&program, &moved, panics);
    }

    let mut unhooked = program.elf();
    unhooked.replace_constructor(hook, elf.functions(&IDLE)[0]);
    assert_starts_nothing(&program, &unhooked);
    program
}

fn assert_tour(program: &Program, elf: &Elf, panics: Panics) {
    let (finished, mains) = program.run_as(elf, &tour(), |_| {});
    let finished = finished.succeeded();
    let ended = match panics {
        Panics::Unwind => "code Some(101) signal None",
        Panics::Abort => "code None signal Some(6)",
    };
    let place = |parts: &[&str]| match (elf.constructor(parts), elf.constructor(&HOOK)) {
        (Some(own), Some(hook)) => own < hook,
        // Stripped: as in any program that was linked the usual way.
        _ => true,
    };
    let seen = |before| if before { "1x before" } else { "1x after" };
    let (early, plain) = (seen(place(&EARLY)), seen(place(&PLAIN)));
    let expected = format!(
        "own 6\n\
         library 120\n\
         nested 1 2 3 6\n\
         arguments true\n\
         environment true\n\
         static hello from a constructor\n\
         here early 1x after, plain 1x after\n\
         child early {early}, plain {plain}\n\
         panic broken on purpose: by a test: true true\n\
         ended {ended}\n\
         deleted 9 24\n\
         replaced 12 1 2 6\n"
    );
    assert_eq!(finished.stdout, expected, "{finished:?}");
    assert_eq!(mains, 1, "main ran in a child: {finished:?}");
}

fn assert_starts_nothing(program: &Program, elf: &Elf) {
    let (finished, mains) = program.run_as(elf, &[OsStr::new("start")], |_| {});
    let finished = finished.succeeded();
    assert!(finished.stdout.starts_with("unsupported true: "), "{finished:?}");
    assert!(finished.stdout.contains("the hook that takes children before `main`"), "{finished:?}");
    assert!(finished.stdout.ends_with("children false\n"), "{finished:?}");
    assert_eq!(mains, 1, "{finished:?}");

    // As it would be for a child of a program that has not checked itself.
    let pretend = |command: &mut Command| {
        command.env("MULTIPROCESS_CHILD", "1");
    };
    let (finished, mains) = program.run_as(elf, &[OsStr::new("start")], pretend);
    let finished = finished.succeeded();
    assert!(finished.stdout.starts_with("unsupported true: "), "{finished:?}");
    assert!(finished.stdout.ends_with("children false\n"), "{finished:?}");
    assert_eq!(mains, 1, "{finished:?}");
}

/// Whether rustc links with an lld of its own unless it is told otherwise.
const RUST_LLD: bool = cfg!(target_arch = "x86_64");

/// A linker that is installed.
struct Linker {
    name: &'static str,
    /// As [`made_by`] tells.
    maker: &'static str,
    /// Where it is; nowhere for rustc's own.
    directory: Option<PathBuf>,
}

impl Linker {
    fn flags(&self) -> Vec<String> {
        let Some(directory) = &self.directory else { return Vec::new() };
        let chosen = [format!("-Clink-arg=-B{}", directory.display()), format!("-Clink-arg=-fuse-ld={}", self.name)];
        RUST_LLD.then(|| "-Clinker-features=-lld".to_owned()).into_iter().chain(chosen).collect()
    }
}

/// What has linked it: each leaves its name, but for GNU ld.
fn made_by(elf: &Elf) -> &'static str {
    if elf.section(".note.gnu.gold-version").is_some() {
        return "gold";
    }
    let comment = String::from_utf8_lossy(elf.section(".comment").unwrap_or_default());
    ["lld", "mold"].into_iter().find(|name| comment.to_lowercase().contains(name)).unwrap_or("bfd")
}

fn linkers_here() -> Vec<Linker> {
    let own = RUST_LLD.then_some(Linker { name: "rust-lld", maker: "lld", directory: None });
    let others = [("bfd", "ld.bfd"), ("gold", "ld.gold"), ("mold", "mold"), ("lld", "ld.lld")];
    let found = others.into_iter().filter_map(|(name, program)| {
        let directory = directory_of(program);
        if directory.is_none() {
            println!("skipped: {name}, it is not installed");
        }
        Some(Linker { name, maker: name, directory: Some(directory?) })
    });
    own.into_iter().chain(found).collect()
}

fn directory_of(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versioned = (10..40).rev().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin")));
    env::split_paths(&path).chain(versioned).find(|directory| directory.join(program).is_file())
}

fn has_static_libc() -> bool {
    let found = Command::new("cc").arg("-print-file-name=libc.a").output().expect("rustc links with cc");
    Path::new(str::from_utf8(&found.stdout).unwrap_or_default().trim()).is_absolute()
}
