//! Round trips of arbitrary values, agreement with bincode's own serde adapter, and arbitrary bytes.

use proptest::{collection::vec, prelude::*};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Decoder, Encoder, Message,
    anything::{Value, decode_anything},
    blocks,
};
use crate::{
    error::Result,
    sys::{
        recvmsg,
        socket::{self, Wait},
    },
};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nothing),
        any::<bool>().prop_map(Value::Flag),
        any::<(i8, i16, i32, i64, i128)>().prop_map(|(a, b, c, d, e)| Value::Signed(a, b, c, d, e)),
        any::<(u8, u16, u32, u64, u128)>().prop_map(|(a, b, c, d, e)| Value::Unsigned(a, b, c, d, e)),
        (-1e9_f32..1e9, -1e99_f64..1e99).prop_map(|(single, double)| Value::Real { single, double }),
        ".{0,40}".prop_map(Value::Text),
        any::<char>().prop_map(Value::Letter),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        (vec(any::<i64>(), 0..40), vec(-1e9_f32..1e9, 0..40), vec(any::<u16>(), 0..40))
            .prop_map(|(a, b, c)| Value::Numbers(a, b, c)),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone()).prop_map(|value| Value::Maybe(value.map(Box::new))),
            vec(inner.clone(), 0..6).prop_map(Value::Many),
            proptest::collection::btree_map(".{0,8}", inner, 0..6).prop_map(Value::Named),
        ]
    })
}

/// Through a real socket, as it would go.
fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> Result<T> {
    let mut encoder = Encoder::default();
    encoder.put(value)?;
    let encoded = encoder.finish(1)?;
    let (ours, theirs) = socket::seqpacket_pair().unwrap();
    encoded.send(&ours, Wait::No).unwrap();
    let mut bytes = Vec::with_capacity(super::MAX_FRAME);
    let mut fds = Vec::new();
    recvmsg::recv(&theirs, &mut bytes, &mut fds, Wait::No).unwrap();
    let message = Message::new(bytes, fds)?;
    let mut decoder = Decoder::new(&message);
    let value = decoder.take()?;
    decoder.finish()?;
    Ok(value)
}

/// A body behind a header that is right as far as these arguments are.
fn framed(flags: u8, offset: u8, length: usize, body: &[u8]) -> Vec<u8> {
    let words = [u64::from(offset).to_le_bytes(), (length as u64).to_le_bytes()].concat();
    [&[b'm', b'p', 0, 1, 3, flags, 0, 0], &words[..], body].concat()
}

fn inline(value: &impl Serialize) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.put(value).unwrap();
    encoder.finish(0).unwrap().to_bytes().split_off(24)
}

proptest! {
    #[test]
    fn values_come_back_as_they_went(value in value()) {
        prop_assert_eq!(there_and_back(&value).unwrap(), value);
    }

    /// Integers of all widths, small, large and at the borders, look and are read as bincode has them.
    #[test]
    fn integers_look_as_bincode_has_them(value in any::<(u16, u32, u64, i16, i32, i64)>(), shift in 0..64_u32, by in -2..3_i64) {
        let near = (1_u64 << shift).wrapping_add_signed(by);
        let (signed, narrow) = (near.cast_signed(), near as u32);
        let all = (value, near, signed, signed.wrapping_neg(), narrow, narrow.cast_signed(), narrow as u16, narrow as i16, 250 + shift);
        let bincode = bincode::serde::encode_to_vec(all, bincode::config::standard()).unwrap();
        prop_assert_eq!(&inline(&all), &bincode);
        prop_assert_eq!(there_and_back(&all).unwrap(), all);
    }

    /// Bytes that are no number of their width are refused as bincode refuses them, or read as it reads them.
    #[test]
    fn odd_integers_are_what_bincode_says(bytes in vec(prop_oneof![any::<u8>(), 249..=255_u8], 0..12)) {
        fn check<T: super::scalar::Scalar + PartialEq + std::fmt::Debug>(mut bytes: &[u8]) {
            let theirs = bincode::decode_from_slice::<T, _>(bytes, bincode::config::standard());
            let (all, ours) = (bytes.len(), super::scalar::take::<T>(&mut bytes));
            assert_eq!(ours.ok().map(|value| (value, all - bytes.len())), theirs.ok());
        }
        check::<u16>(&bytes);
        check::<u32>(&bytes);
        check::<u64>(&bytes);
        check::<i16>(&bytes);
        check::<i32>(&bytes);
        check::<i64>(&bytes);
    }

    /// Blocks apart, the wire is bincode's.
    #[test]
    fn small_values_look_as_bincode_has_them(value in (any::<(u8, i64, bool)>(), ".{0,99}", vec(any::<u32>(), 0..9))) {
        let bincode = bincode::serde::encode_to_vec(&value, bincode::config::standard()).unwrap();
        prop_assert_eq!(inline(&value), bincode);
    }

    /// Whatever comes, it is a value or an error.
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200), spill in proptest::option::of(vec(any::<u8>(), 0..99))) {
        decode_anything(&bytes, spill.as_deref());
    }

    /// The same behind a header that is right, and with counts that are likely to be large.
    #[test]
    fn arbitrary_bodies_do_no_harm(
        body in vec(prop_oneof![any::<u8>(), 0xf8..=0xff_u8], 0..200),
        flags in prop_oneof![Just(0_u8), Just(1), Just(0x10), Just(0x11), any::<u8>()],
        place in any::<(u8, u8)>(),
        spill in proptest::option::of(vec(any::<u8>(), 0..99)),
    ) {
        let bytes = framed(flags, place.0, if flags & 1 == 0 { body.len() } else { place.1.into() }, &body);
        decode_anything(&bytes, spill.as_deref());
    }

    /// A message that was cut is an error, never another value.
    #[test]
    fn truncated_values_are_errors(value in value(), cut in any::<prop::sample::Index>()) {
        let mut body = inline(&value);
        let length = cut.index(body.len());
        body.truncate(length);
        if let Ok(message) = Message::new(framed(0, 0, length, &body), Vec::new()) {
            let mut decoder = Decoder::new(&message);
            prop_assert!(decoder.take::<Value>().is_err());
        }
    }
}

#[test]
fn blocks_of_every_kind_and_size() {
    fn check<T: Serialize + DeserializeOwned + PartialEq + Clone + std::fmt::Debug>(number: T) {
        let element = size_of::<T>();
        for bytes in [0, 8, blocks::MIN_RAW, 1000, blocks::MIN_SPILL, 3 * blocks::MIN_SPILL] {
            let numbers = vec![number.clone(); bytes / element];
            assert_eq!(there_and_back(&numbers).unwrap(), numbers);
        }
    }
    check(1_u8);
    check(u16::MAX);
    check(u32::MAX);
    check(u64::MAX);
    check(usize::MAX);
    check(u128::MAX);
    check(-1_i8);
    check(i16::MIN);
    check(i32::MIN);
    check(i64::MIN);
    check(isize::MIN);
    check(i128::MIN);
    check(0.5_f32);
    check(f64::MAX);
}

/// The short way of a block into a `Vec` is open to serde's own visitor only, known by its name.
#[test]
fn serdes_visitor_has_the_name_that_it_is_known_by() {
    struct Names;
    impl<'de> serde::Deserializer<'de> for Names {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> std::result::Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom(blocks::is_serdes_own::<V>()))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    use serde::Deserialize;
    assert_eq!(Vec::<u8>::deserialize(Names).unwrap_err().to_string(), "true");
    assert_eq!(Vec::<f64>::deserialize(Names).unwrap_err().to_string(), "true");
}

#[test]
fn no_block_is_read_twice() {
    let size: usize = 100_000;
    let mut encoder = Encoder::default();
    encoder.put(&vec![7_u8; size]).unwrap();
    let twice = |offsets: [u64; 2]| {
        let mut bytes = Vec::new();
        for offset in offsets {
            super::scalar::put(&mut bytes, size as u64 | blocks::SPILLED).unwrap();
            bytes.extend([0, 1]);
            super::scalar::put(&mut bytes, offset).unwrap();
        }
        let memory = std::fs::File::from(crate::sys::memfd::create().unwrap());
        std::os::unix::fs::FileExt::write_all_at(&memory, &vec![7; 2 * size], 0).unwrap();
        crate::sys::memfd::fix(&memory, crate::sys::memfd::Fixed::Content).unwrap();
        let message =
            Message::new(framed(0x10, 0, bytes.len(), &bytes), vec![std::os::fd::OwnedFd::from(memory).into()])
                .unwrap();
        Decoder::new(&message).take::<(Vec<u8>, Vec<u8>)>().map(|(a, b)| a.len() + b.len())
    };
    assert_eq!(twice([0, size as u64]).unwrap(), 2 * size);
    assert!(twice([0, 0]).unwrap_err().is_decode());
    assert!(twice([size as u64, 0]).unwrap_err().is_decode());
}

#[test]
fn a_count_that_lies_allocates_nothing() {
    // A million million elements of a kind, of which none is there.
    // Spilled: in no part, in one, in more than there may be.
    let spilled =
        [&[3, 0, 0][..], &[3, 1, 0], &[3, 5, 0, 0, 0, 0, 0], &[3, 4, 0, 0, 0, 0]].map(|rest| (blocks::SPILLED, rest));
    for (mark, rest) in [(0, &[][..]), (blocks::RAW, &[3])].into_iter().chain(spilled) {
        let mut bytes = Vec::new();
        super::scalar::put(&mut bytes, mark | 1_000_000_000_000_u64).unwrap();
        bytes.extend(rest);
        let message = Message::new(framed(0, 0, bytes.len(), &bytes), Vec::new()).unwrap();
        assert!(Decoder::new(&message).take::<Vec<u64>>().unwrap_err().is_decode());
        assert!(Decoder::new(&message).take::<Vec<()>>().unwrap_err().is_decode());
        assert!(Decoder::new(&message).take::<String>().unwrap_err().is_decode());
    }
}
