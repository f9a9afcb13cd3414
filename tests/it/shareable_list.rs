//! `ShareableList` against CPython's own, and against memory that holds none.

use mp::ListItem::{self, Bool, Bytes, Float, Int, None as Nothing, Str};
use multiprocess as mp;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{
    named::name,
    python_memory::{self, Python},
    support::watchdog,
};

/// As Python writes it.
fn literal(item: &ListItem) -> String {
    match item {
        Nothing => "None".to_owned(),
        Bool(value) => if *value { "True" } else { "False" }.to_owned(),
        Int(value) => value.to_string(),
        Float(value) => format!("struct.unpack('d', struct.pack('Q', {}))[0]", value.to_bits()),
        Str(text) => {
            let characters: String = text.chars().map(|character| format!("\\U{:08x}", u32::from(character))).collect();
            format!("'{characters}'")
        }
        Bytes(bytes) => {
            let bytes: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("b'{bytes}'")
        }
    }
}

fn literals(items: &[ListItem]) -> String {
    format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(","))
}

/// Any that a list can hold; not a number equals nothing, so not that.
fn item() -> impl Strategy<Value = ListItem> {
    prop_oneof![
        Just(Nothing),
        any::<bool>().prop_map(Bool),
        any::<i64>().prop_map(Int),
        any::<f64>().prop_filter("a number", |float| !float.is_nan()).prop_map(Float),
        vec(any::<char>(), 0..20)
            .prop_map(|characters| characters.into_iter().collect::<String>().trim_end_matches('\0').to_owned())
            .prop_map(Str),
        vec(prop_oneof![Just(0), any::<u8>()], 0..30).prop_map(Bytes),
    ]
}

/// Any of which CPython's encoder writes the same bytes: it counts characters, and loses NULs.
fn plain_item() -> impl Strategy<Value = ListItem> {
    item().prop_map(|item| match item {
        Str(text) => Str(text.chars().map(|character| char::from(u32::from(character) as u8 % 94 + 33)).collect()),
        Bytes(mut bytes) => {
            bytes.extend(b"x");
            Bytes(bytes)
        }
        item => item,
    })
}

/// Those with this layout: 3.8 had another one.
fn pythons() -> impl Iterator<Item = Python> {
    python_memory::pythons().filter(|python| python.version >= (3, 9))
}

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() })
}

/// Whether this Python reads the list as just these items, types too.
fn reads(python: &Python, list: &mp::ShareableList, items: &[ListItem]) -> String {
    python.run(&format!("l = ShareableList(name={:?}); resource_tracker.unregister(l.shm._name, 'shared_memory'); e = {}; g = list(l); answer = True if [(type(x), x) for x in g] == [(type(x), x) for x in e] else (g, e)", list.shared_memory().name(), literals(items)))
}

#[test]
fn python_reads_random_lists_and_we_its() {
    let _watchdog = watchdog();
    for python in pythons() {
        let all = (vec(item(), 0..12), vec(plain_item(), 0..12));
        let checked = runner().run(&all, |(items, plain)| {
            let list = mp::ShareableList::new(&items)?;
            prop_assert_eq!(&list.to_vec()?, &items);
            prop_assert_eq!(reads(&python, &list, &items), "True");

            let name = name("random-list");
            prop_assert_eq!(python.run(&format!("t = ShareableList({}, name={name:?})", literals(&plain))), "None");
            let theirs = mp::ShareableList::open(&name)?;
            prop_assert_eq!(&theirs.to_vec()?, &plain);
            let ours = mp::ShareableList::new(&plain)?;
            prop_assert_eq!(theirs.shared_memory().to_vec()?, ours.shared_memory().to_vec()?);
            python.run("t.shm.unlink()");
            Ok(())
        });
        checked.unwrap();
    }
}

#[test]
fn python_reads_what_is_set_and_we_what_it_sets() {
    let _watchdog = watchdog();
    for python in pythons() {
        let all = (vec(item(), 1..6), vec((any::<usize>(), item(), any::<bool>()), 1..10));
        let checked = runner().run(&all, |(mut items, changes)| {
            let list = mp::ShareableList::new(&items)?;
            let first = python.run(&format!("l = ShareableList(name={:?})", list.shared_memory().name()));
            python.run("resource_tracker.unregister(l.shm._name, 'shared_memory')");
            prop_assert_eq!(first, "None");
            for (position, item, by_python) in changes {
                let position = position % items.len();
                // What CPython would change silently, it is not asked for.
                let is_safe = !matches!(&item, Bytes(bytes) if bytes.last() == Some(&0));
                if by_python && is_safe {
                    let said = python.run(&format!("l[{position}] = {}", literal(&item)));
                    match said.as_str() {
                        "None" => items[position] = item,
                        said => prop_assert_eq!(said, "'ValueError'"),
                    }
                } else {
                    match list.set(position, &item) {
                        Ok(()) => items[position] = item,
                        Err(error) => prop_assert!(error.to_string().contains("exceeds available storage")),
                    }
                }
                prop_assert_eq!(&list.to_vec()?, &items);
                prop_assert_eq!(reads(&python, &list, &items), "True");
            }
            Ok(())
        });
        checked.unwrap();
    }
}

#[test]
fn what_python_changes_silently_is_an_error_or_kept() -> mp::Result<()> {
    let _watchdog = watchdog();
    let wide = "ä".repeat(7); // 14 bytes; CPython's slot would have 8
    let list = mp::ShareableList::new([Str(wide.clone()), Bytes(b"ab\0\0".to_vec()), Str("x".into())])?;
    assert_eq!(list.to_vec()?, [Str(wide), Bytes(b"ab\0\0".to_vec()), Str("x".into())]);
    let error = list.set(2, "y\0").unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("cannot end in NUL"), "{error}");
    assert!(mp::ShareableList::new(["y\0"]).unwrap_err().is_invalid_input());
    list.set(2, &[0; 8])?; // the whole slot
    assert_eq!(list.get(2)?, Bytes(vec![0; 8]));
    for python in pythons() {
        assert_eq!(reads(&python, &list, &list.to_vec()?), "True");
        // Into the slot with a format of ours, CPython writes with one of its own, and cuts nothing.
        assert_eq!(python.run("l[1] = b'12345678'"), "None");
        assert_eq!(list.get(1)?, Bytes(b"12345678".to_vec()));
        list.set(1, b"ab\0\0")?;
    }
    // Nothing is kept by halves: too long for its format's eight characters.
    let long = vec![b'x'; 9_999_992];
    assert!(mp::ShareableList::new([Bytes(long)]).unwrap_err().is_invalid_input());
    Ok(())
}

#[test]
fn the_rules_of_python() -> mp::Result<()> {
    let _watchdog = watchdog();
    let list = mp::ShareableList::new([Str("1234567".into()), Int(1), Nothing, Bool(true), Float(0.5), Int(1)])?;
    assert_eq!((list.len(), list.is_empty(), list.iter().len()), (6, false, 6));
    list.set(0, "12345678")?;
    let error = list.set(0, "123456789").unwrap_err();
    assert!(error.to_string().contains("bytes/str item exceeds available storage"), "{error}");
    list.set(1, "8 bytes!")?; // the slot of an int
    assert!(list.set(1, "9 bytes!!").is_err());
    list.set(1, 1)?;
    assert_eq!((list.index(1)?, list.count(1)?, list.index(true)?, list.index(2)?), (Some(1), 2, Some(3), None));
    assert_eq!(list.iter().next_back().unwrap()?, Int(1));
    for outside in [6, usize::MAX] {
        assert!(list.get(outside).unwrap_err().to_string().contains("index out of range"));
        assert!(list.set(outside, 1).unwrap_err().is_invalid_input());
    }
    let empty = mp::ShareableList::new(Vec::<ListItem>::new())?;
    assert_eq!((empty.len(), empty.shared_memory().size()), (0, 16));
    assert!(empty.get(0).is_err());
    Ok(())
}

#[test]
fn a_list_is_a_value() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn change(list: mp::ShareableList) -> mp::Result<Vec<ListItem>> {
        list.set(0, "child")?;
        list.to_vec()
    }
    let list = mp::ShareableList::new([Str("parent".into()), Int(2)])?;
    let copy = mp::ShareableList::open(list.shared_memory().name())?;
    assert_eq!(mp::spawn(change, (copy,))?.join()??, [Str("child".into()), Int(2)]);
    assert_eq!(list.get(0)?, Str("child".into()));
    Ok(())
}

#[test]
fn memory_that_holds_no_list_is_an_error() {
    let _watchdog = watchdog();
    // A list, with some of its bytes changed: mostly in what says where things are.
    let all = (vec(item(), 0..5), vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6));
    let checked = TestRunner::new(Config { cases: 3_000, failure_persistence: None, ..Config::default() }).run(
        &all,
        |(items, changes)| {
            let memory = mp::ShareableList::new(&items)?.into_shared_memory();
            for (place, byte, is_number) in changes {
                match is_number {
                    true => memory.write_at(
                        place.index(items.len() + 2) * 8,
                        i64::from(byte as i8).rotate_right(8 * u32::from(byte % 3)),
                    )?,
                    false => memory.write_at(place.index(memory.size()), byte)?,
                }
            }
            match mp::ShareableList::from_shared_memory(memory) {
                Err(error) => prop_assert!(error.is_decode()),
                Ok(list) => {
                    for position in 0..list.len() {
                        if let Err(error) = list.get(position) {
                            prop_assert!(error.is_decode(), "{error}");
                        }
                        if let Err(error) = list.set(position, "12345678") {
                            prop_assert!(error.is_decode(), "{error}");
                        }
                    }
                }
            }
            Ok(())
        },
    );
    checked.unwrap();
    for size in 1..40 {
        let memory = mp::SharedMemory::new(size).unwrap();
        memory.write(0, &vec![0xff_u8; size]).unwrap();
        assert!(mp::ShareableList::from_shared_memory(memory).unwrap_err().is_decode());
    }
}
