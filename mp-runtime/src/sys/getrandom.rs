//! `getrandom(2)`.

use std::io;

/// Fills `buffer` from the kernel's generator. Blocks only before the machine has gathered its first entropy.
pub(crate) fn getrandom(mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        // SAFETY: the pointer and the length are those of one live, writable slice.
        let filled = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match usize::try_from(filled) {
            Ok(filled) => buffer = buffer.get_mut(filled..).unwrap_or_default(),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
    Ok(())
}
