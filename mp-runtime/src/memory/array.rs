//! An array that is divided among processes.

use std::{
    fmt, io,
    marker::PhantomData,
    ops::{Deref, DerefMut, Range},
};

use bytemuck::Pod;

use super::{Rejoin, SharedWindow, elements, slice::no_memory};
use crate::{
    error::{Error, Result},
    shm::{MAX_PARTS, Whole},
};

/// Writable memory of a fixed length that several processes write at the same time, each a part of it.
///
/// It is an ordinary mutable slice as long as it is whole. [`split`](Self::split) takes it apart into
/// [`SharedWindow`]s, each of which can be sent to one process, and [`Rejoin`], which gives the array back when all
/// windows have been dropped or their holders have ended. Until then nobody has all of it: no two processes can
/// reach the same element, and none of them needs a lock. Nothing is copied.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn roots(mut window: mp::SharedWindow<f64>) {
///     let offset = window.offset();
///     for (index, root) in window.as_mut_slice().iter_mut().enumerate() {
///         *root = ((offset + index) as f64).sqrt();
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (windows, rejoin) = mp::SharedArray::zeroed(100_000)?.split(4)?;
/// for window in windows {
///     mp::spawn(roots, (window,))?.detach();
/// }
/// let rejoined = rejoin.join()?;
/// assert!(rejoined.lost.is_empty()); // no child was killed
/// assert_eq!(rejoined.array[40_000], 200.0);
/// # Ok(())
/// # }
/// ```
pub struct SharedArray<T> {
    whole: Whole,
    length: usize,
    element: PhantomData<T>,
}

#[expect(clippy::type_complexity, reason = "a name for windows and rejoin would only have to be looked up")]
impl<T: Pod> SharedArray<T> {
    /// `length` elements, all bytes of which are zero.
    ///
    /// # Errors
    ///
    /// EMFILE; ENOMEM or ENOSPC if the kernel has no memory for it and says so; EFBIG if the limit of file sizes (`ulimit -f`),
    /// which holds for such memory too, is lower; [`is_invalid_input`](Error::is_invalid_input) for more bytes than there
    /// are addresses.
    pub fn zeroed(length: usize) -> Result<Self> {
        let whole = Whole::new(elements::size_of::<T>(length)?).map_err(no_memory)?;
        Ok(Self::new(whole, length))
    }

    /// A copy of `elements`.
    ///
    /// # Errors
    ///
    /// Those of [`zeroed`](Self::zeroed).
    pub fn from_slice(elements: &[T]) -> Result<Self> {
        let mut array = Self::zeroed(elements.len())?;
        array.copy_from_slice(elements);
        Ok(array)
    }

    /// `windows` windows, in order, whose lengths differ by one at most: numpy's `array_split`. If there are more windows than
    /// elements, the last ones are empty.
    ///
    /// # Errors
    ///
    /// [`SplitError`], which has the array in it: for no windows, or more than 4096; EMFILE.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (windows, _rejoin) = mp::SharedArray::<u8>::zeroed(8)?.split(3)?;
    /// let ranges: Vec<_> = windows.iter().map(mp::SharedWindow::range).collect();
    /// assert_eq!(ranges, [0..3, 3..6, 6..8]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self, windows: usize) -> Result<(Vec<SharedWindow<T>>, Rejoin<T>), SplitError<T>> {
        let (least, longer) = (self.length.checked_div(windows), self.length.checked_rem(windows));
        let (least, longer) = (least.unwrap_or(0), longer.unwrap_or(0));
        self.divide(windows, (0..windows.min(MAX_PARTS)).map(|index| least + usize::from(index < longer)))
    }

    /// One window more than there are indices: each index is where a window begins, and the one before it ends. numpy's
    /// `split`.
    ///
    /// # Errors
    ///
    /// [`SplitError`], which has the array in it: for indices that descend, or are beyond the end; for more than 4096 windows;
    /// EMFILE.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let array = mp::SharedArray::<u8>::zeroed(8)?;
    /// let array = array.split_at_indices(&[9]).unwrap_err().into_array();
    /// let (windows, _rejoin) = array.split_at_indices(&[3, 4])?;
    /// let ranges: Vec<_> = windows.iter().map(mp::SharedWindow::range).collect();
    /// assert_eq!(ranges, [0..3, 3..4, 4..8]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn split_at_indices(self, indices: &[usize]) -> Result<(Vec<SharedWindow<T>>, Rejoin<T>), SplitError<T>> {
        if !indices.is_sorted() || indices.last().is_some_and(|last| *last > self.length) {
            let error = format!("an array of {} elements cannot be split at {indices:?}", self.length);
            return Err(SplitError { error: Error::invalid(error), array: self });
        }
        let starts = [0].into_iter().chain(indices.iter().copied());
        let ends = indices.iter().copied().chain([self.length]);
        self.divide(indices.len() + 1, starts.zip(ends).map(|(start, end)| end - start))
    }

    /// Windows of `length` elements, the last of which has what is left, as [`slice::chunks_mut`] has it; of rows, if that is how
    /// long a row is.
    ///
    /// # Errors
    ///
    /// [`SplitError`], which has the array in it: for chunks of no elements, for more than 4096 of them; EMFILE.
    pub fn split_chunks(self, length: usize) -> Result<(Vec<SharedWindow<T>>, Rejoin<T>), SplitError<T>> {
        if length == 0 {
            return Err(SplitError { error: Error::invalid("windows of no elements have no end"), array: self });
        }
        let (all, windows) = (self.length, self.length.div_ceil(length).max(1));
        let lengths = (0..windows.min(MAX_PARTS)).map(|index| length.min(all - index * length));
        self.divide(windows, lengths)
    }

    fn divide(
        self,
        windows: usize,
        lengths: impl Iterator<Item = usize>,
    ) -> Result<(Vec<SharedWindow<T>>, Rejoin<T>), SplitError<T>> {
        if windows == 0 || windows > MAX_PARTS {
            let error = format!("an array is split into 1 to {MAX_PARTS} windows, not into {windows}");
            return Err(SplitError { error: Error::invalid(error), array: self });
        }
        let ends = lengths.scan(0, |end, length| {
            let start = *end;
            *end += length;
            Some(start..*end)
        });
        let ranges: Vec<Range<usize>> = ends.collect();
        let bytes: Vec<_> = ranges.iter().map(|range| range.len() * size_of::<T>()).collect();
        match self.whole.divide(&bytes) {
            Ok((parts, apart)) => {
                let windows = parts.into_iter().zip(&ranges);
                let windows = windows.map(|(part, range)| SharedWindow::new(part, range.clone())).collect();
                Ok((windows, Rejoin::new(apart, self.length, ranges)))
            }
            Err((error, whole)) => {
                let error = split_failed(error);
                Err(SplitError { error, array: Self::new(whole, self.length) })
            }
        }
    }

    pub(super) fn new(whole: Whole, length: usize) -> Self {
        Self { whole, length, element: PhantomData }
    }
}

#[cold]
fn split_failed(error: io::Error) -> Error {
    Error::os("split a shared array", error)
}

impl<T: Pod> Deref for SharedArray<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        elements::of(self.whole.bytes())
    }
}

impl<T: Pod> DerefMut for SharedArray<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        elements::of_mut(self.whole.bytes_mut())
    }
}

impl<T: Pod> AsRef<[T]> for SharedArray<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Pod> AsMut<[T]> for SharedArray<T> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Why an array could not be split, and the array. `?` makes an [`Error`] of it, and drops the array.
pub struct SplitError<T> {
    error: Error,
    array: SharedArray<T>,
}

impl<T> SplitError<T> {
    /// Why.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The array, as it was.
    #[must_use]
    pub fn into_array(self) -> SharedArray<T> {
        self.array
    }
}

impl<T> From<SplitError<T>> for Error {
    fn from(error: SplitError<T>) -> Self {
        error.error
    }
}

impl<T> fmt::Display for SplitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// The same as [`Display`](fmt::Display): it is what `main` prints of an error that it returns.
impl<T> fmt::Debug for SplitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It has no `source`: the text of the cause is part of this one's.
impl<T> std::error::Error for SplitError<T> {}
