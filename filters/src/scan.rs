//! One pass over a body held as chunks: is it what `JSON.parse` accepts, and where are the members we care about.
//! It decides neither what a member's value means ([`crate::contract`]) nor what to do about it ([`crate::edit`]).
//!
//! The grammar is in `machine` (any byte, any state: it alone judges), `machine::dense` (the common course, quickly) and
//! `bulk` (64 bytes at once, where nothing is to be noted); `strings`, `escapes`, `runs` and `blocks` read many bytes at
//! once; `watch` writes down what was found.

mod blocks;
mod bulk;
mod escapes;
mod found;
mod machine;
mod nesting;
mod number;
mod runs;
mod strings;
mod wanted;
mod watch;

use bytes::Bytes;

pub use found::{Found, Kind, Malformed, Member, Value};
pub use machine::Scanner;
pub use wanted::{Slot, Wanted};

/// Scans a whole body. Offsets in the answer count from the body's first byte, byte order marks included.
///
/// # Errors
/// [`Malformed`] where Node's `JSON.parse` would throw after decoding the bytes as UTF-8 with replacement.
pub fn scan(wanted: &Wanted, chunks: &[Bytes]) -> Result<Found, Malformed> {
    let mut scanner = Scanner::new(wanted);
    for chunk in chunks {
        scanner.push(chunk)?;
    }
    scanner.finish()
}

#[cfg(test)]
mod tests;
