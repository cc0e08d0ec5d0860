//! Bodies: passed over without a look where their length is known, chunk by chunk else.

use super::bytes::{Class, skip};
use super::{Framing, Line, State};

/// How many bytes the chunk extensions of one message may take: nobody uses them, and none of them
/// is passed on.
pub const EXTENSIONS_LIMIT: usize = 1024;

/// How many bytes the trailers of one message may take, with the line's end before them.
pub const TRAILERS_LIMIT: usize = 8 * 1024;

/// How many digits a chunk's size may have: more do not fit into 64 bits.
const SIZE_DIGITS: u8 = 16;

impl Framing {
    /// A body with a length.
    pub(super) fn content(&mut self, bytes: &[u8], at: usize, left: u64) -> Result<usize, usize> {
        let (left, next) = pass(bytes, at, left);
        match left {
            0 => self.end_message(next),
            left => self.go(State::Length(left), next),
        }
    }

    pub(super) fn chunk_size(
        &mut self,
        at: usize,
        byte: u8,
        digits: u8,
        size: u64,
    ) -> Result<usize, usize> {
        match (byte, char::from(byte).to_digit(16)) {
            (_, Some(digit)) if digits < SIZE_DIGITS => {
                self.go(State::Size(digits + 1, (size << 4) | u64::from(digit)), at + 1)
            }
            (b'\r', _) if digits > 0 => self.go(State::Lf(Line::Size(size)), at + 1),
            (b';', _) if digits > 0 => {
                self.message.extensions += 1;
                self.go(State::Extension(size), at + 1)
            }
            _ => Err(at),
        }
    }

    pub(super) fn extension(&mut self, bytes: &[u8], at: usize, size: u64) -> Result<usize, usize> {
        let end = skip(Class::Printed, bytes, at);
        let left = EXTENSIONS_LIMIT.saturating_sub(self.message.extensions);
        if end - at > left {
            return Err(at + left);
        }
        self.message.extensions += end - at;
        match bytes.get(end) {
            None => Ok(end),
            Some(b'\r') => self.go(State::Lf(Line::Size(size)), end + 1),
            Some(_) => Err(end),
        }
    }

    pub(super) fn chunk(&mut self, bytes: &[u8], at: usize, left: u64) -> Result<usize, usize> {
        let (left, next) = pass(bytes, at, left);
        match left {
            0 => self.go(State::Cr(Line::Chunk), next),
            left => self.go(State::Chunk(left), next),
        }
    }

    /// Counts what trailers take.
    #[inline]
    pub(super) fn bounded(&mut self, at: usize, next: usize) -> Result<usize, usize> {
        let Some(taken) = &mut self.message.trailers else { return Ok(next) };
        let left = TRAILERS_LIMIT - *taken;
        if next - at > left {
            return Err(at + left);
        }
        *taken += next - at;
        Ok(next)
    }
}

/// Passes over as many bytes as are there; gives how many are left, and the place behind them.
fn pass(bytes: &[u8], at: usize, left: u64) -> (u64, usize) {
    let there = bytes.len() - at;
    match usize::try_from(left) {
        Ok(left) if left <= there => (0, at + left),
        _ => (left - there as u64, bytes.len()),
    }
}
