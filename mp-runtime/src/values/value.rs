//! A value under a lock.

use std::{
    fmt, hint,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
            fence,
        },
    },
};

use bytemuck::Pod;

use crate::{
    error::{Error, LockError, Result},
    shm::{arena::Shared, cells::words, layouts::ValuePart},
    sync::{handle, take},
    sys::{poll::Deadline, robust_mutex::Held},
};

const WORD: usize = size_of::<u64>();

/// A value that several processes see and change: Python's `Value`.
///
/// Clones, and what arrives where it is sent, are the same value. `T` is plain data without pointers, [`bytemuck::Pod`](https://docs.rs/bytemuck):
/// numbers, arrays of numbers, and structs of these, by that crate's derive (see the second example).
///
/// Each change is made under the value's lock, so none is lost, and becomes visible as a whole: **a process that is killed in the middle of a
/// change has not made it**, nor has a closure that panics. Reading takes no lock and waits for nobody.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn count(total: mp::Value<u64>) -> mp::Result<()> {
///     for _ in 0..1000 {
///         total.fetch_add(1)?; // in Python `+=` would lose some
///     }
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let total = mp::Value::new(0_u64)?;
/// let children = [mp::spawn(count, (total.clone(),))?, mp::spawn(count, (total.clone(),))?];
/// for child in children {
///     child.join()??;
/// }
/// assert_eq!(total.get(), 2000);
/// # Ok(())
/// # }
/// ```
///
/// A struct is `Copy` and `repr(C)`, has no gaps between its fields, and takes a line in `Cargo.toml`:
///
/// ```
/// use bytemuck::{Pod, Zeroable}; // bytemuck = { version = "1", features = ["derive"] }
/// use multiprocess as mp;
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Statistics {
///     sum: f64,
///     count: u64,
/// }
///
/// # fn main() -> mp::Result<()> {
/// let all = mp::Value::new(Statistics { sum: 0.0, count: 0 })?;
/// all.with(|all| (all.sum, all.count) = (all.sum + 2.5, all.count + 1))?;
/// assert_eq!(all.get().sum, 2.5);
/// # Ok(())
/// # }
/// ```
pub struct Value<T: Pod> {
    shared: Arc<Shared<ValuePart>>,
    value: PhantomData<T>,
}

handle!(Value<T: Pod>, ValuePart);

/// How many words a place takes.
const fn words_of<T>() -> usize {
    size_of::<T>().div_ceil(WORD)
}

/// What fits into one word is changed in one step, and has one place; all else has two.
const fn places_of<T>() -> usize {
    if size_of::<T>() <= WORD { 1 } else { 2 }
}

impl<T: Pod> Value<T> {
    /// A new value.
    ///
    /// # Errors
    ///
    /// `T` is larger than 30 KiB (use an [`Array`](crate::Array)); others as [`Lock::new`](crate::Lock::new).
    pub fn new(value: T) -> Result<Self> {
        let shared = Arc::new(Shared::new(words_of::<T>() * places_of::<T>() * WORD)?);
        let new = Self::from_shared(shared);
        write(new.place(0), &value);
        Ok(new)
    }

    /// The value. Takes no lock: it is the one before a change or the one after.
    #[inline]
    #[must_use]
    pub fn get(&self) -> T {
        loop {
            let version = self.shared.version.load(Acquire);
            let value = read(self.place(version));
            // One place is overwritten only when the other one counts.
            fence(Acquire);
            if places_of::<T>() == 1 || self.shared.version.load(Relaxed) == version {
                return value;
            }
            hint::spin_loop();
        }
    }

    /// Replaces the value. Blocks as [`with`](Self::with).
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with).
    pub fn set(&self, value: T) -> Result<()> {
        self.with(|now| *now = value)
    }

    /// Calls `change` with the value and the lock held; what it leaves there becomes the value when it returns. Returns what
    /// it does. Blocks while another thread or process is in a `with` of the same value, and has no timeout: `change` should be short.
    ///
    /// # Errors
    ///
    /// The calling thread is inside a `with` of the same value ([`is_deadlock`](Error::is_deadlock)), or holds too many locks.
    ///
    /// # Panics
    ///
    /// If `change` does; the value then stays as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// # fn main() -> mp::Result<()> {
    /// let range = mp::Value::new([0_i64; 2])?; // least and most
    /// for x in [3, -5, 4] {
    ///     range.with(|[least, most]| (*least, *most) = ((*least).min(x), (*most).max(x)))?;
    /// }
    /// assert_eq!(range.get(), [-5, 4]);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let _held = self.hold()?;
        let version = self.shared.version.load(Relaxed);
        let mut value = read(self.place(version));
        let returned = change(&mut value);
        // Who still reads the other place must see that it counts no longer.
        fence(Release);
        write(self.place(version + 1), &value);
        if places_of::<T>() > 1 {
            self.shared.version.store(version + 1, Release);
        }
        Ok(returned)
    }

    #[inline]
    fn hold(&self) -> Result<Held<'_>> {
        let mutex = &self.shared.mutex;
        match take(mutex, Deadline::NEVER) {
            Ok(()) => Ok(Held(mutex)),
            // Who died had not changed it yet, or had done so wholly.
            Err(LockError::OwnerDied(())) => {
                mutex.mark_consistent();
                Ok(Held(mutex))
            }
            Err(error) => Err(Error::from(error).context("cannot change a value")),
        }
    }

    #[inline]
    fn place(&self, version: u64) -> &[AtomicU64] {
        let number = version as usize % places_of::<T>();
        words(&self.shared).get(number * words_of::<T>()..).unwrap_or_default()
    }

    fn from_shared(shared: Arc<Shared<ValuePart>>) -> Self {
        Self { shared, value: PhantomData }
    }

    fn received(shared: Arc<Shared<ValuePart>>) -> Result<Self> {
        if shared.behind() != words_of::<T>() * places_of::<T>() * WORD {
            return Err(Error::decode(format!("the value that came is not of {} bytes", size_of::<T>())));
        }
        Ok(Self::from_shared(shared))
    }
}

#[inline]
fn read<T: Pod>(place: &[AtomicU64]) -> T {
    let mut value = T::zeroed();
    for (bytes, word) in bytemuck::bytes_of_mut(&mut value).chunks_mut(WORD).zip(place) {
        bytes.copy_from_slice(word.load(Relaxed).to_ne_bytes().get(..bytes.len()).unwrap_or_default());
    }
    value
}

#[inline]
fn write<T: Pod>(place: &[AtomicU64], value: &T) {
    for (bytes, word) in bytemuck::bytes_of(value).chunks(WORD).zip(place) {
        let mut padded = [0; WORD];
        padded[..bytes.len()].copy_from_slice(bytes);
        word.store(u64::from_ne_bytes(padded), Release);
    }
}

/// A number that can be added to: the integers, which wrap around, and the floats.
pub trait Number: Pod {
    /// The sum.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// The difference.
    #[must_use]
    fn minus(self, other: Self) -> Self;
}

macro_rules! numbers {
    ($plus:expr, $minus:expr => $($number:ty),*) => {
        $(impl Number for $number {
            fn plus(self, other: Self) -> Self {
                let plus: fn(Self, Self) -> Self = $plus;
                plus(self, other)
            }

            fn minus(self, other: Self) -> Self {
                let minus: fn(Self, Self) -> Self = $minus;
                minus(self, other)
            }
        })*
    };
}

numbers!(Self::wrapping_add, Self::wrapping_sub => u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
numbers!(|a, b| a + b, |a, b| a - b => f32, f64);

impl<T: Number> Value<T> {
    /// Adds `number`, and returns what was there before. Integers wrap around, as Python's do in a `Value`. Blocks as [`with`](Self::with).
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with).
    #[inline]
    pub fn fetch_add(&self, number: T) -> Result<T> {
        self.with(|now| std::mem::replace(now, now.plus(number)))
    }

    /// Takes `number` away, and returns what was there before. Integers wrap around. Blocks as [`with`](Self::with).
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with).
    #[inline]
    pub fn fetch_sub(&self, number: T) -> Result<T> {
        self.with(|now| std::mem::replace(now, now.minus(number)))
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.get()).finish()
    }
}
