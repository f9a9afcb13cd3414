//! What a [`ShareableList`](crate::ShareableList) can hold.

use serde::{Deserialize, Serialize};

/// An item of a [`ShareableList`](crate::ShareableList): what CPython's can hold.
///
/// Equal means of one kind and equal: `Int(1)`, `Float(1.0)` and `Bool(true)` are three, where Python has one. A `Float` that is
/// not a number equals nothing.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// let row: [mp::ListItem; 4] = ["alpha".into(), 1.into(), 0.5.into(), None::<bool>.into()];
/// assert_eq!(row[3], mp::ListItem::None);
/// ```
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum ListItem {
    /// Python's `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int`, of 64 bits.
    Int(i64),
    /// `float`.
    Float(f64),
    /// `str`. It cannot end in a NUL character.
    Str(String),
    /// `bytes`.
    Bytes(Vec<u8>),
}

macro_rules! from {
    ($($type:ty => $variant:ident)*) => {
        $(
            impl From<$type> for ListItem {
                fn from(value: $type) -> Self {
                    Self::$variant(value.into())
                }
            }
        )*
    };
}

from! {
    bool => Bool
    i8 => Int
    i16 => Int
    i32 => Int
    i64 => Int
    u8 => Int
    u16 => Int
    u32 => Int
    f32 => Float
    f64 => Float
    &str => Str
    String => Str
    &[u8] => Bytes
    Vec<u8> => Bytes
}

impl<const N: usize> From<&[u8; N]> for ListItem {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<()> for ListItem {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl<T: Into<Self>> From<Option<T>> for ListItem {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl From<&Self> for ListItem {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}
