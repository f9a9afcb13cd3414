//! CPython's `ShareableList`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    ListItem, SharedMemory,
    layout::{self, Kind, UNIT},
};
use crate::error::{Error, Result};

/// A list of plain items in [`SharedMemory`]: CPython's
/// [`ShareableList`](https://docs.python.org/3/library/multiprocessing.shared_memory.html#multiprocessing.shared_memory.ShareableList),
/// to read and write from both sides (CPython 3.9 and later; 3.8 has another layout).
///
/// The number of items is fixed. An item may be replaced by one of another kind; a str or bytes has to fit into the slot that the
/// list's creator made: at least one and at most eight bytes more than its first item, or eight bytes where that was a
/// number.
///
/// What CPython's layout cannot hold is an error, where CPython changes it silently: a str that ends in NUL. Bytes that do
/// are kept, and CPython reads them right too. A str with characters of several bytes gets a slot for all of them, where CPython
/// counts characters and cuts.
///
/// Nothing is locked: items are read and written in several steps, and who reads one that is written just now may get an error
/// or a mixture, there as here. It is sent and owned as its [`SharedMemory`] is.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let list = mp::ShareableList::new(["spam".into(), mp::ListItem::Int(42), None::<i64>.into()])?;
/// println!("Python opens it by ShareableList(name={:?})", list.shared_memory().name());
/// list.set(1, 2.75)?;
/// assert_eq!(list.get(1)?, mp::ListItem::Float(2.75));
/// let error = list.set(0, "too long for the slot").unwrap_err();
/// assert!(error.to_string().contains("exceeds available storage"));
/// # Ok(())
/// # }
/// ```
pub struct ShareableList {
    memory: SharedMemory,
    count: usize,
    /// Where the formats begin: behind the data.
    formats: usize,
}

impl ShareableList {
    /// Creates a list in a segment with a random name. It owns the segment, as [`SharedMemory::new`] does.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) for an item that CPython's layout has no place for: a str that ends in NUL;
    /// bytes that do and are longer than 99,999; either, if it is longer than 9,999,991 bytes. Those of [`SharedMemory::new`].
    pub fn new<I: Into<ListItem>>(items: impl IntoIterator<Item = I>) -> Result<Self> {
        Self::make(None, items)
    }

    /// Creates a list in a segment of that name. It owns the segment, as [`SharedMemory::create`] does; who opens it sees all
    /// items.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new) and of [`SharedMemory::create`].
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// # let name = &format!("mp-doc-list-{}", std::process::id());
    /// let list = mp::ShareableList::create(name, [1, 2, 3])?;
    /// assert_eq!(mp::ShareableList::open(name)?.to_vec()?, list.to_vec()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn create<I: Into<ListItem>>(name: &str, items: impl IntoIterator<Item = I>) -> Result<Self> {
        Self::make(Some(name), items)
    }

    fn make<I: Into<ListItem>>(name: Option<&str>, items: impl IntoIterator<Item = I>) -> Result<Self> {
        let items: Vec<ListItem> = items.into_iter().map(Into::into).collect();
        let bytes = layout::whole(&items)?;
        Self::from_shared_memory(SharedMemory::make(name, bytes.len(), &bytes)?)
    }

    /// Opens the list in the segment of that name, which CPython may have created. It does not own it.
    ///
    /// # Errors
    ///
    /// Those of [`SharedMemory::open`] and of [`from_shared_memory`](Self::from_shared_memory).
    pub fn open(name: &str) -> Result<Self> {
        Self::from_shared_memory(SharedMemory::open(name)?)
    }

    /// The list that is in this memory.
    ///
    /// # Errors
    ///
    /// [`is_decode`](Error::is_decode) if there is none: lengths that do not fit. The items are looked at when they are asked
    /// for.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(16)?; // 0 items
    /// assert!(mp::ShareableList::from_shared_memory(memory)?.is_empty());
    ///
    /// let memory = mp::SharedMemory::new(16)?;
    /// memory.write_at(0, 1_i64)?; // 1 item, and no place for it
    /// assert!(mp::ShareableList::from_shared_memory(memory).unwrap_err().is_decode());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_shared_memory(memory: SharedMemory) -> Result<Self> {
        let corrupt = || Error::decode(format!("there is no ShareableList in shared memory '{}'", memory.name()));
        if memory.size() < 2 * UNIT {
            return Err(corrupt());
        }
        let count = usize::try_from(memory.read_at::<i64>(0)?).map_err(|_| corrupt())?;
        // The last offset is behind as many others, and the number of items.
        let place = count.checked_add(1).and_then(|before| before.checked_mul(UNIT));
        let place = place.filter(|place| *place <= memory.size() - UNIT).ok_or_else(corrupt)?;
        let data = usize::try_from(memory.read_at::<i64>(place)?).map_err(|_| corrupt())?;
        let formats = place.checked_add(UNIT).and_then(|start| start.checked_add(data)).ok_or_else(corrupt)?;
        match (count * (UNIT + 1)).checked_add(formats) {
            Some(end) if end <= memory.size() => Ok(Self { memory, count, formats }),
            _ => Err(corrupt()),
        }
    }

    /// The number of items. It never changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The item at `position`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if there is no such position; [`is_decode`](Error::is_decode) if what lies
    /// there is no item, as a str of CPython's that was cut inside a character. Those of [`SharedMemory::read`].
    pub fn get(&self, position: usize) -> Result<ListItem> {
        let (start, slot) = self.slot(position)?;
        let format = self.memory.read_at::<[u8; UNIT]>(self.formats + position * UNIT)?;
        let code = self.memory.read_at::<i8>(self.codes() + position)?;
        let kind = Kind::parse(&format, code)
            .filter(|kind| kind.length() <= slot)
            .ok_or_else(|| self.corrupt(position, &format!("format '{}' with code {code}", format.escape_ascii())))?;
        let mut content = vec![0; kind.length()];
        self.memory.read(start, &mut content)?;
        kind.unpack(content).map_err(|error| error.context(format!("item {position} of {self:?}")))
    }

    /// Replaces the item at `position`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if there is no such position, if the item "exceeds available storage", or
    /// if CPython's layout has no place for it, as for [`new`](Self::new); the old item stays. Those of [`SharedMemory::write`].
    pub fn set(&self, position: usize, item: impl Into<ListItem>) -> Result<()> {
        let (start, slot) = self.slot(position)?;
        let packed =
            layout::pack(&item.into(), slot).map_err(|error| error.context(format!("item {position} of {self:?}")))?;
        self.memory.write(self.formats + position * UNIT, &packed.format)?;
        self.memory.write_at(self.codes() + position, packed.code)?;
        self.memory.write(start, &packed.content)
    }

    /// The items in their order, each read when it is asked for. The first error of reading is followed by the other items.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let list = mp::ShareableList::new([1, 2, 3])?;
    /// for item in list.iter() {
    ///     println!("{:?}", item?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Result<ListItem>> + ExactSizeIterator + '_ {
        (0..self.count).map(|position| self.get(position))
    }

    /// All items.
    ///
    /// # Errors
    ///
    /// The first one of [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<ListItem>> {
        self.iter().collect()
    }

    /// The first position of an item that equals this one; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let list = mp::ShareableList::new(["a", "b", "a"])?;
    /// assert_eq!((list.index("b")?, list.index("c")?, list.count("a")?), (Some(1), None, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn index(&self, item: impl Into<ListItem>) -> Result<Option<usize>> {
        let item = item.into();
        for (position, other) in self.iter().enumerate() {
            if other? == item {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// How many items equal this one.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn count(&self, item: impl Into<ListItem>) -> Result<usize> {
        let item = item.into();
        self.iter().try_fold(0, |count, other| Ok(count + usize::from(other? == item)))
    }

    /// The segment that the list is in: its name, and whether it is owned.
    #[must_use]
    pub fn shared_memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// The segment itself, for instance to [persist](SharedMemory::persist) it.
    #[must_use]
    pub fn into_shared_memory(self) -> SharedMemory {
        self.memory
    }

    /// Where the slot of an item begins in the memory, and how long it is.
    fn slot(&self, position: usize) -> Result<(usize, usize)> {
        if position >= self.count {
            return Err(Error::invalid(format!("index out of range: {position} in {self:?}")));
        }
        let [start, end] = self.memory.read_at::<[i64; 2]>((position + 1) * UNIT)?;
        let (data, corrupt) =
            ((self.count + 2) * UNIT, || self.corrupt(position, &format!("a slot of {start}..{end}")));
        let (start, end) =
            (usize::try_from(start).map_err(|_| corrupt())?, usize::try_from(end).map_err(|_| corrupt())?);
        if end > self.formats - data || end.saturating_sub(start) < UNIT {
            return Err(corrupt());
        }
        Ok((data + start, end - start))
    }

    fn codes(&self) -> usize {
        self.formats + self.count * UNIT
    }

    fn corrupt(&self, position: usize, what: &str) -> Error {
        Error::decode(format!("{self:?} is corrupt: item {position} has {what}"))
    }
}

/// Name and length.
impl fmt::Debug for ShareableList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareableList({} items, name={:?})", self.count, self.memory.name())
    }
}

/// As the [`SharedMemory`] that it is in.
impl Serialize for ShareableList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.memory.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShareableList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_shared_memory(SharedMemory::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
