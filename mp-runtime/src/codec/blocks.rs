//! Blocks: many bytes that move as one.
//!
//! A sequence, string or byte string starts with its count. The two highest bits of the count, which no
//! real length reaches, say where the elements are:
//!
//! | bits | what follows the count |
//! |---|---|
//! | `00` | the elements, one after another (as bincode has it) |
//! | `01` RAW | a kind, then the elements as they lie in memory |
//! | `10` SPILLED | a kind, a number of parts and the offset of each; they lie there in the message's memfds (`spill.rs`) |
//!
//! The kind says what number an element is, so a block can also be read into something other than the
//! `Vec` it came from.

use castaway::cast;

use crate::error::{Error, Result};

pub(super) const RAW: u64 = 1 << 62;
pub(super) const SPILLED: u64 = 1 << 63;

/// A block below this is not worth its header.
pub(super) const MIN_RAW: usize = 64;
/// A block from here on is written into a memfd instead of being copied into the message.
pub(super) const MIN_SPILL: usize = 64 << 10;

/// Whether a visitor is serde's own: another one may check or change the elements that it is shown, and must
/// see each of them.
pub(super) fn is_serdes_own<V>() -> bool {
    std::any::type_name::<V>().starts_with("serde_core::de::impls::")
}

/// `count` zeros. Want of memory is an error, not the end of the program.
pub(super) fn zeroed<N: bytemuck::Zeroable + Copy>(count: usize) -> Result<Vec<N>> {
    let mut probe = Vec::<N>::new();
    let want = |_| Error::decode(format!("there is no memory for a block of {count} elements"));
    // Asked for and given back: `vec!` gets zeroed pages from the kernel, which `resize` would fill by hand.
    std::hint::black_box(&mut probe).try_reserve_exact(count).map_err(want)?;
    drop(std::hint::black_box(probe));
    Ok(vec![N::zeroed(); count])
}

macro_rules! kinds {
    ($($kind:ident $number:literal $method:ident: $($type:ty)|+ ;)*) => {
        /// What number an element is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind {
            $(#[doc = concat!("`", stringify!($($type)|+), "`")] $kind = $number,)*
        }

        impl Kind {
            pub(super) fn from_byte(byte: u8) -> Result<Self> {
                match byte {
                    $($number => Ok(Self::$kind),)*
                    _ => Err(Error::decode(format!("{byte} is no kind of number"))),
                }
            }

            /// The size of an element, in bytes.
            pub(super) const fn size(self) -> usize {
                match self {
                    $(Self::$kind => kinds!(@size $($type)|+),)*
                }
            }
        }

        /// The elements of `value` as bytes, if it is a `Vec` of plain numbers.
        pub(super) fn as_block<T: ?Sized>(value: &T) -> Option<(Kind, &[u8])> {
            $($(
                if let Ok(numbers) = cast!(value, &Vec<$type>) {
                    return Some((Kind::$kind, bytemuck::cast_slice(numbers)));
                }
            )+)*
            None
        }

        /// A `T` made of `count` numbers of `kind`, filled by `fill`, if `T` is a `Vec` of just these.
        pub(super) fn from_block<T>(
            kind: Kind,
            count: usize,
            fill: impl Fn(&mut [u8]) -> Result<()>,
        ) -> Option<Result<T>> {
            let mut slot: Option<T> = None;
            $($(
                if kind == Kind::$kind
                    && let Ok(slot) = cast!(&mut slot, &mut Option<Vec<$type>>)
                {
                    let mut numbers = match zeroed::<$type>(count) {
                        Ok(numbers) => numbers,
                        Err(error) => return Some(Err(error)),
                    };
                    if let Err(error) = fill(bytemuck::cast_slice_mut(&mut numbers)) {
                        return Some(Err(error));
                    }
                    *slot = Some(numbers);
                }
            )+)*
            slot.map(Ok)
        }

        /// Shows `visitor` one element, read from its bytes.
        pub(super) fn visit_element<'de, V: serde::de::Visitor<'de>>(kind: Kind, bytes: &[u8], visitor: V) -> Result<V::Value> {
            match kind {
                $(Kind::$kind => visitor.$method(bytemuck::pod_read_unaligned(bytes)),)*
            }
        }
    };
    (@size $first:ty $(| $rest:ty)*) => { size_of::<$first>() };
}

kinds! {
    U8 0 visit_u8: u8;
    U16 1 visit_u16: u16;
    U32 2 visit_u32: u32;
    U64 3 visit_u64: u64 | usize;
    U128 4 visit_u128: u128;
    I8 5 visit_i8: i8;
    I16 6 visit_i16: i16;
    I32 7 visit_i32: i32;
    I64 8 visit_i64: i64 | isize;
    I128 9 visit_i128: i128;
    F32 10 visit_f32: f32;
    F64 11 visit_f64: f64;
}
