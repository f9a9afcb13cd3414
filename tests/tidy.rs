//! The rules of this repository, held by reading it.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Which layer of `mp-runtime` a folder is in. Arrows go down only.
const LAYERS: [(&str, u32); 9] = [
    ("sys", 0),
    ("shm", 1),
    ("codec", 2),
    ("memory", 2),
    ("ipc", 2),
    ("sync", 2),
    ("values", 2),
    ("process", 3),
    ("pool", 4),
];

/// Stand beside all layers.
const BESIDE: [&str; 3] = ["error", "event", "fault"];

fn sources(below: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(below))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "nothing below {below}");
    found
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The modules of this crate that a file names, by `use crate::…` or a path.
fn names_of_modules(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| line.to_owned() + "\n").collect();
    let mut names = Vec::new();
    for after in code.split("crate::").skip(1) {
        let block = match after.strip_prefix('{') {
            // `use crate::{a::…, b::{…}}`: the first word of each part at the outer level.
            Some(list) => list,
            None => {
                names.extend(after.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned));
                continue;
            }
        };
        let (mut depth, mut word, mut taken) = (0, String::new(), false);
        for c in block.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => (word, taken) = (String::new(), false),
                c if depth == 0 && !taken && (c.is_alphanumeric() || c == '_') => word.push(c),
                ':' | ' ' | '\n' if depth == 0 && !word.is_empty() && !taken => {
                    names.push(word.clone());
                    taken = true;
                }
                _ => {}
            }
        }
    }
    names
}

#[test]
fn layers_know_only_what_is_below_them() {
    let layers = BTreeMap::from(LAYERS);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("mp-runtime/src");
    let mut seen = 0;
    for path in sources("mp-runtime/src") {
        let place = path.strip_prefix(&root).unwrap();
        let own = place.components().next().unwrap().as_os_str().to_str().unwrap();
        let Some(&layer) = layers.get(own) else { continue };
        for name in names_of_modules(&fs::read_to_string(&path).unwrap()) {
            let Some(&other) = layers.get(name.as_str()) else { continue };
            seen += 1;
            // Two folders of one layer may know each other only in the order of the table.
            let position = |of: &str| LAYERS.iter().position(|(name, _)| *name == of);
            let below = other < layer || name == own || (other == layer && position(&name) < position(own));
            assert!(below, "{} (layer {layer}) names crate::{name} (layer {other})", place.display());
        }
    }
    assert!(seen > 30, "the search must find what is there: {seen}");
}

#[test]
fn errors_stand_beside_all_layers() {
    for folder in BESIDE {
        for path in
            sources("mp-runtime/src").iter().filter(|path| path.to_str().unwrap().contains(&format!("src/{folder}")))
        {
            let names = names_of_modules(&fs::read_to_string(path).unwrap());
            let layered: Vec<_> = names.iter().filter(|name| LAYERS.iter().any(|(layer, _)| layer == name)).collect();
            let allowed = if folder == "fault" { &["sys"][..] } else { &[] };
            assert!(
                layered.iter().all(|name| allowed.contains(&name.as_str())),
                "{} names {layered:?}",
                path.display()
            );
        }
    }
}

#[test]
fn files_are_small_and_have_one_job() {
    let lengths: Vec<_> = ["src", "mp-runtime/src", "mp-macros/src", "tests", "examples", "benches"]
        .into_iter()
        .flat_map(sources)
        .filter(|path| !path.to_str().unwrap().contains("/target/"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .collect();
    for (lines, path) in &lengths {
        assert!(*lines <= 500, "{} has {lines} lines", path.display());
    }
    let small = lengths.iter().filter(|(lines, _)| *lines < 200).count();
    assert!(small * 3 > lengths.len() * 2, "{small} of {} files are below 200 lines", lengths.len());
}

#[test]
fn a_mod_file_explains_and_re_exports() {
    for path in sources("mp-runtime/src").iter().chain(&sources("mp-macros/src")) {
        if path.file_name().is_some_and(|name| name == "mod.rs")
            && path.starts_with(Path::new(env!("CARGO_MANIFEST_DIR")).join("mp-runtime"))
        {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.starts_with("//! "), "{} does not say what it is for", path.display());
            for word in ["fn ", "struct ", "enum ", "impl "] {
                assert!(
                    !text.lines().any(|line| line.contains(word) && !line.starts_with("//")),
                    "{} has a `{word}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "mp-runtime/src", "mp-macros/src", "examples", "tests/it"] {
        for path in sources(folder) {
            assert!(fs::read_to_string(&path).unwrap().starts_with("//! "), "{}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_sys_and_behind_mappings() {
    for path in sources("mp-runtime/src") {
        let place = path.to_str().unwrap();
        let allowed = place.contains("/src/sys/") || place.contains("/src/shm/");
        let text = fs::read_to_string(&path).unwrap();
        let unsafe_lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = unsafe_lines
            .filter(|line| line.contains("unsafe {") || line.contains("unsafe impl") || line.contains("unsafe fn"));
        assert!(allowed || found.count() == 0, "{place}");
    }
}

#[test]
fn runtime_code_does_not_panic_on_purpose() {
    for path in sources("mp-runtime/src").iter().filter(|path| !path.ends_with("tests.rs")) {
        for line in fs::read_to_string(path).unwrap().lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("] {
                assert!(!line.contains(word), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn one_file_names_bincode() {
    for path in sources("mp-runtime/src") {
        let names = fs::read_to_string(&path).unwrap().contains("bincode::");
        let may = path.ends_with("codec/scalar.rs") || path.ends_with("codec/tests.rs");
        assert!(!names || may, "{}", path.display());
    }
}

#[test]
fn versions_agree_and_the_changelog_knows_them() {
    let manifest = read("Cargo.toml");
    let version = manifest.split("version = \"").nth(1).unwrap().split('"').next().unwrap();
    for name in ["mp-macros", "mp-runtime"] {
        assert!(manifest.contains(&format!("{name} = {{ path = \"{name}\", version = \"={version}\" }}")), "{name}");
    }
    assert!(read("CHANGELOG.md").contains(&format!("## {version}")), "CHANGELOG.md has no {version}");
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = read("Cargo.toml");
    let table = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let mut reason = false;
    for line in table.lines() {
        if line.contains('=') && !line.starts_with('#') {
            assert!(reason || line.contains('#') || line.starts_with("mp-"), "no reason: {line}");
        } else {
            reason = line.starts_with('#');
        }
    }
    for member in ["mp-runtime/Cargo.toml", "mp-macros/Cargo.toml"] {
        for line in read(member).lines().filter(|line| line.contains("version = \"")) {
            assert!(!line.contains('{'), "{member} pins a version of its own: {line}");
        }
    }
}

#[test]
fn ci_runs_what_the_readme_says() {
    let readme = read("README.md");
    let command = |marker: &str| {
        let block = readme.split(marker).nth(1).unwrap_or_else(|| panic!("README.md has no {marker}"));
        block.split("```sh\n").nth(1).unwrap().lines().next().unwrap().to_owned()
    };
    let ci = read(".ci/run");
    assert!(ci.contains(&command("<!-- the tests -->")), "the test command");
    assert!(ci.contains("--example wordcount"), "the main job");
    assert!(command("<!-- the main job -->").contains("--example wordcount"));
}
