//! Values of any size and shape, through a real process.

use std::collections::{BTreeMap, VecDeque};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::support::{owned, watchdog};

#[mp::process_target]
fn bytes(value: Vec<u8>) -> Vec<u8> {
    value
}

#[test]
fn sizes_around_every_threshold() -> mp::Result<()> {
    let _watchdog = watchdog();
    let large = 16 << 20; // from here on in several parts
    for size in
        [0, 1, 63, 64, 65, 65_400, 65_535, 65_536, 65_537, 200_000, large - 1, large, large + 1, 2 * large + 12_345]
    {
        let value: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        assert!(mp::spawn(bytes, (value.clone(),))?.join()? == value, "{size} bytes");
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mixed {
    signed: Vec<i16>,
    floats: Vec<f64>,
    huge: Vec<u128>,
    text: String,
    texts: Vec<String>,
    nested: Vec<Vec<u32>>,
    deque: VecDeque<f32>,
    map: BTreeMap<String, Vec<u8>>,
    tail: u8,
}

fn mixed(n: usize) -> Mixed {
    Mixed {
        signed: (0..n).map(|i| i as i16).collect(),
        floats: (0..n).map(|i| i as f64 / 3.0).collect(),
        huge: vec![u128::MAX; n / 4],
        text: "ü".repeat(n),
        texts: vec!["some text".to_owned(); n / 8],
        nested: vec![vec![7; n], vec![], vec![1; 3]],
        deque: (0..n).map(|i| i as f32).collect(),
        map: [("a".to_owned(), vec![1; n]), (String::new(), vec![])].into(),
        tail: 9,
    }
}

#[test]
fn large_parts_of_a_value_keep_their_places() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn echo(mixed: Mixed) -> Mixed {
        mixed
    }
    for n in [0, 10, 1_000, 100_000] {
        assert!(mp::spawn(echo, (mixed(n),))?.join()? == mixed(n), "{n}");
    }
    Ok(())
}

#[test]
fn a_block_of_numbers_may_be_read_as_another_type() -> mp::Result<()> {
    let _watchdog = watchdog();
    /// Writes itself as a `Vec`, reads itself as something else.
    #[derive(Debug, PartialEq)]
    struct Deque(VecDeque<u64>);
    impl Serialize for Deque {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("Deque", &Vec::from(self.0.clone()))
        }
    }
    impl<'de> Deserialize<'de> for Deque {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            struct Inner(VecDeque<u64>);
            Inner::deserialize(deserializer).map(|inner| Self(inner.0))
        }
    }
    #[mp::process_target]
    fn echo(deque: Deque) -> Deque {
        deque
    }
    for n in [5, 1_000, 50_000] {
        let deque = || Deque((0..n).collect());
        assert_eq!(mp::spawn(echo, (deque(),))?.join()?, deque());
    }
    Ok(())
}

#[test]
fn a_reader_of_its_own_sees_every_element_whatever_the_size() -> mp::Result<()> {
    let _watchdog = watchdog();
    /// Takes no number from 100 on.
    fn small_numbers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        struct Small;
        impl<'de> serde::de::Visitor<'de> for Small {
            type Value = Vec<u32>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("small numbers")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u32>, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = seq.next_element()? {
                    if number >= 100 {
                        return Err(serde::de::Error::custom("too large a number"));
                    }
                    numbers.push(number);
                }
                Ok(numbers)
            }
        }
        deserializer.deserialize_seq(Small)
    }
    #[derive(Serialize, Deserialize)]
    struct Checked(#[serde(deserialize_with = "small_numbers")] Vec<u32>);
    #[mp::process_target]
    fn sum(checked: Checked) -> u32 {
        checked.0.iter().sum()
    }
    for count in [6, 60, 100_000] {
        assert_eq!(mp::spawn(sum, (Checked(vec![1; count]),))?.join()?, u32::try_from(count).unwrap());
        let error = mp::spawn(sum, (Checked(vec![100; count]),))?.join().unwrap_err();
        assert!(error.to_string().contains("too large a number"), "{count}: {error}");
    }
    Ok(())
}

#[test]
fn large_results_do_not_wait_for_a_join() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn large(size: usize) -> Vec<u8> {
        vec![3; size]
    }
    let child = mp::spawn(large, (50 << 20,))?;
    // Python's classic deadlock: the child could not end before somebody reads.
    super::support::eventually("the child's end", || !child.is_alive());
    assert!(child.join()? == vec![3; 50 << 20]);
    Ok(())
}

#[test]
fn the_memory_that_arguments_came_in_is_free_while_the_target_runs() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn looks(arguments: Vec<u8>) -> (usize, bool) {
        let owned = owned();
        (arguments.len(), owned.memfds == 0 && !owned.fds.iter().any(|fd| fd.contains("memfd")))
    }
    for size in [100_000, 40 << 20] {
        assert_eq!(mp::spawn(looks, (vec![1; size],))?.join()?, (size, true));
    }
    Ok(())
}

#[test]
fn no_memory_is_left_of_large_values() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn in_a_process_of_its_own() -> (usize, usize, bool) {
        let echo = || mp::spawn(bytes, (vec![1; 1 << 20],)).unwrap().join().unwrap();
        echo();
        let before = owned();
        for _ in 0..50 {
            echo();
        }
        let after = owned();
        (before.memfds, after.memfds, before == after)
    }
    assert_eq!(mp::spawn(in_a_process_of_its_own, ())?.join()?, (0, 0, true));
    Ok(())
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct List(Option<Box<List>>);

#[test]
fn a_value_that_nests_too_deep_is_an_error_and_no_crash() {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn count_levels(mut list: List) -> usize {
        let mut depth = 0;
        while let Some(next) = list.0 {
            list = *next;
            depth += 1;
        }
        depth
    }
    let nested = |depth| (0..depth).fold(List(None), |list, _| List(Some(Box::new(list))));
    assert_eq!(mp::spawn(count_levels, (nested(100),)).unwrap().join().unwrap(), 100);
    let error = mp::spawn(count_levels, (nested(2_000),)).unwrap_err();
    assert!(error.is_encode() && error.to_string().contains("levels deep"), "{error}");
}

#[test]
fn serde_attributes_that_the_format_cannot_keep_are_errors() {
    let _watchdog = watchdog();
    #[derive(Serialize, Deserialize)]
    struct Skips {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        maybe: Option<u8>,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
    }
    #[mp::process_target]
    fn take_skips(_: Skips) {}
    #[mp::process_target]
    fn take_untagged(_: Untagged) {}
    let error = mp::spawn(take_skips, (Skips { maybe: None },)).unwrap_err();
    assert!(error.is_encode() && error.to_string().contains("`maybe` is left out"), "{error}");
    mp::spawn(take_skips, (Skips { maybe: Some(1) },)).unwrap().join().unwrap();
    let error = mp::spawn(take_untagged, (Untagged::Number(1),)).unwrap().join().unwrap_err();
    assert!(matches!(error, mp::JoinError::Refused(..)) && error.to_string().contains("untagged"), "{error}");
}

#[test]
fn sequences_whose_length_is_not_known_beforehand() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[derive(Debug, PartialEq, Deserialize)]
    struct Lazy(Vec<u64>);
    impl Serialize for Lazy {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            // An iterator without an exact size.
            serializer.serialize_newtype_struct("Lazy", &Filtered(&self.0))
        }
    }
    struct Filtered<'a>(&'a [u64]);
    impl Serialize for Filtered<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().filter(|number| **number < u64::MAX))
        }
    }
    #[mp::process_target]
    fn echo(lazy: Lazy, after: u8) -> (Lazy, u8) {
        (lazy, after)
    }
    let values = || Lazy((0..300).collect());
    assert_eq!(mp::spawn(echo, (values(), 7))?.join()?, (values(), 7));
    Ok(())
}
