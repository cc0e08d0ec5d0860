//! What commands print. A reader that is gone before the end, as `head` is, is no fault of the command,
//! which ends there and well; the standard library's macros panic.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process;

macro_rules! print {
    ($($text:tt)*) => { $crate::cli::print::write(format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { print!("{}\n", format_args!($($text)*)) };
}

/// Writes to standard output, or ends the process where that cannot be.
pub(super) fn write(text: Arguments<'_>) {
    match io::stdout().write_fmt(text) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        Err(error) => {
            eprintln!("modegate: standard output: {error}");
            process::exit(1);
        }
    }
}
