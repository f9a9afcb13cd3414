//! A library with processes in its tests.

use multiprocess as mp;

/// Counts the letters.
///
/// ```
/// use multiprocess as mp;
///
/// assert_eq!(mp::spawn(suite::letters, ("abc".to_owned(),)).unwrap().join().unwrap(), 3);
/// ```
///
/// A target of the doctest's own:
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn shout(word: String) -> String {
///     word.to_uppercase()
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(mp::spawn(shout, ("abc".to_owned(),))?.join()?, "ABC");
/// # Ok(())
/// # }
/// ```
///
/// In a program of its own:
///
/// ```standalone_crate
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn whisper(word: String) -> String {
///     word.to_lowercase()
/// }
///
/// assert_eq!(mp::spawn(whisper, ("ABC".to_owned(),)).unwrap().join().unwrap(), "abc");
/// ```
#[mp::process_target]
pub fn letters(word: String) -> usize {
    word.chars().filter(|letter| letter.is_alphabetic()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[mp::process_target]
    fn process() -> u32 {
        std::process::id()
    }

    #[test]
    fn unit() -> mp::Result<()> {
        assert_eq!(mp::spawn(letters, ("a1b2".to_owned(),))?.join()?, 2);
        assert_ne!(mp::spawn(process, ())?.join()?, std::process::id());
        Ok(())
    }

    #[test]
    #[should_panic(expected = "at 0")]
    fn panics_arrive() {
        #[mp::process_target]
        fn fails() {
            panic!("at {}", 0)
        }
        mp::spawn(fails, ()).unwrap().join().unwrap();
    }
}
