//! The number in an [`ExitCode`], which std shows to nobody but the kernel.

use std::process::ExitCode;

/// The only way to it in safe and stable Rust is to compare.
pub(crate) fn number(code: ExitCode) -> i32 {
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == code).map_or(1, i32::from)
}
