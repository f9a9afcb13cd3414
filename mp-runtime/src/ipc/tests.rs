//! Values with handles anywhere in them, there and back, and whatever else a socket may hold.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use proptest::{collection::vec, prelude::*};
use serde::{Deserialize, Serialize};

use super::{Connection, Packet, Receiver, Sender, channel, pipe, receive_anything};
use crate::codec::{Handle, sealed};

/// What a value looks like, before there are descriptors.
#[derive(Clone, Debug)]
enum Shape {
    Number(u64),
    Bytes(usize),
    File,
    Sender,
    Connection,
    Maybe(Option<Box<Shape>>),
    Many(Vec<Shape>),
    Named(Vec<Shape>),
}

#[derive(Serialize, Deserialize)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    File(u64, Handle<File>),
    Sender(u64, Sender<u64>),
    Connection { number: u64, end: Connection<u64, u64> },
    Maybe(Option<Box<Value>>),
    Many(Vec<Value>),
    Named(BTreeMap<String, Value>),
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Shape::Number),
        prop_oneof![0..200_usize, 65_000..70_000_usize].prop_map(Shape::Bytes),
        Just(Shape::File),
        Just(Shape::Sender),
        Just(Shape::Connection),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone()).prop_map(|shape| Shape::Maybe(shape.map(Box::new))),
            vec(inner.clone(), 0..5).prop_map(Shape::Many),
            vec(inner, 0..5).prop_map(Shape::Named),
        ]
    })
}

/// The other sides of the handles in a value; each handle has a number.
#[derive(Default)]
struct Others {
    next: u64,
    receivers: Vec<Receiver<u64>>,
}

fn build(shape: &Shape, others: &mut Others) -> Value {
    others.next += 1;
    let number = others.next;
    match shape {
        Shape::Number(number) => Value::Number(*number),
        Shape::Bytes(length) => Value::Bytes(vec![*length as u8; *length]),
        Shape::File => Value::File(number, Handle::new(sealed(&number.to_le_bytes()).unwrap().into())),
        Shape::Sender => {
            let (sender, receiver) = channel().unwrap();
            others.receivers.push(receiver);
            Value::Sender(number, sender)
        }
        Shape::Connection => {
            let (end, other) = pipe::<u64, u64>().unwrap();
            others.receivers.push(other.receiver().clone());
            Value::Connection { number, end }
        }
        Shape::Maybe(shape) => Value::Maybe(shape.as_ref().map(|shape| Box::new(build(shape, others)))),
        Shape::Many(shapes) => Value::Many(shapes.iter().map(|shape| build(shape, others)).collect()),
        Shape::Named(shapes) => {
            Value::Named(shapes.iter().map(|shape| (others.next.to_string(), build(shape, others))).collect())
        }
    }
}

/// Whether it is what was sent; each end that came says its number to the other side.
fn check(shape: &Shape, value: &Value, sent: &mut Vec<u64>) -> bool {
    match (shape, value) {
        (Shape::Number(number), Value::Number(came)) => number == came,
        (Shape::Bytes(length), Value::Bytes(came)) => *came == vec![*length as u8; *length],
        (Shape::File, Value::File(number, file)) => {
            let (mut content, mut file) = ([0; 8], &**file);
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_exact(&mut content).unwrap();
            u64::from_le_bytes(content) == *number
        }
        (Shape::Sender, Value::Sender(number, sender)) => {
            sent.push(*number);
            sender.send(number).is_ok()
        }
        (Shape::Connection, Value::Connection { number, end }) => {
            sent.push(*number);
            end.send(number).is_ok()
        }
        (Shape::Maybe(None), Value::Maybe(None)) => true,
        (Shape::Maybe(Some(shape)), Value::Maybe(Some(value))) => check(shape, value, sent),
        (Shape::Many(shapes), Value::Many(values)) => {
            shapes.len() == values.len() && shapes.iter().zip(values).all(|(shape, value)| check(shape, value, sent))
        }
        // Keys are the numbers in order, as text.
        (Shape::Named(shapes), Value::Named(values)) => {
            let mut values: Vec<_> = values.iter().map(|(key, value)| (key.parse::<u64>().unwrap(), value)).collect();
            values.sort_by_key(|(key, _)| *key);
            shapes.len() == values.len()
                && shapes.iter().zip(values).all(|(shape, (_, value))| check(shape, value, sent))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn values_with_handles_come_back_as_they_went(shape in shape()) {
        let mut others = Others::default();
        let value = build(&shape, &mut others);
        let (sender, receiver) = channel().unwrap();
        sender.send(&value).unwrap();
        // What is received later does not depend on what was sent.
        drop((value, sender));
        let came: Value = receiver.recv().unwrap();
        let mut sent = Vec::new();
        prop_assert!(check(&shape, &came, &mut sent));
        drop(came);
        let heard: Vec<u64> = others.receivers.iter().flat_map(|other| other.iter().map(Result::unwrap)).collect();
        prop_assert_eq!(heard, sent);
    }

    #[test]
    fn whatever_is_on_the_socket_does_no_harm(
        packets in vec((
            vec(prop_oneof![any::<u8>(), 0xf8..=0xff_u8], 0..80),
            prop_oneof![Just(None), (16..18_u8, 0..2_u8, 0..3_u8, 0..3_u8).prop_map(Some)],
            proptest::option::of(vec(any::<u8>(), 0..99)),
            0..3_u8,
        ), 0..6),
    ) {
        // Some behind a header that is right, or nearly so.
        let packets: Vec<_> = packets.into_iter().map(|(body, header, memory, sockets)| {
            let bytes = match header {
                None => body,
                Some((kind, flags, memfds, fds)) => {
                    let head = [b'm', b'p', 0, 1, kind, flags | memfds << 4, fds, 0];
                    [&head[..], &[0; 8], &(body.len() as u64).to_le_bytes(), &body].concat()
                }
            };
            (bytes, memory, sockets)
        }).collect();
        let packets: Vec<_> =
            packets.iter().map(|(bytes, memory, sockets)| Packet { bytes, memory: memory.as_deref(), sockets: *sockets }).collect();
        receive_anything(&packets).unwrap();
    }
}

#[test]
fn it_is_looked_first_only_where_descriptors_have_come() {
    let (sender, receiver) = channel::<Vec<u8>>().unwrap();
    let waits = std::time::Duration::from_secs(100);
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(&vec![1]).unwrap());
        receiver.recv_timeout(waits).unwrap();
    });
    assert!(receiver.try_recv().is_err() && !receiver.end().looks_first());
    sender.send(&vec![1; 100_000]).unwrap(); // which comes in a memfd
    receiver.recv_timeout(waits).unwrap();
    assert!(receiver.end().looks_first() && receiver.clone().end().looks_first());
}
