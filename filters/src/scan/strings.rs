//! Runs over what a string holds, block by block. It stops at whatever ends the string or needs the machine's
//! judgement, and never has to search again for what a block's masks have already told.

use super::blocks::{BLOCK, Block, special_in_lane};

const EVEN: u64 = 0x5555_5555_5555_5555;

/// The first position from `at` on that is not plain text or a whole well-formed escape: the closing quote, a control
/// character, a backslash whose escape is malformed or runs over the end of `bytes`, or the end of `bytes`.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize) -> usize {
    // Keys and short values end here.
    if let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_in_lane(lane);
        let first = at + special.trailing_zeros() as usize;
        if special != 0 && bytes.get(first) == Some(&b'"') {
            return first;
        }
    }
    skip_blocks(bytes, at)
}

fn skip_blocks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        match read(bytes, at, block) {
            Course::Through(length) => at += length,
            Course::Stopped(there) => return there,
        }
    }
    skip_tail(bytes, at)
}

/// The last bytes, fewer than a block, read as a block of their own.
#[inline(never)]
fn skip_tail(bytes: &[u8], mut at: usize) -> usize {
    while let Some(tail) = bytes.get(at..).filter(|tail| !tail.is_empty()) {
        let mut block = [b' '; BLOCK];
        for (place, byte) in block.iter_mut().zip(tail) {
            *place = *byte;
        }
        match read(bytes, at, &block) {
            Course::Through(length) => at = (at + length).min(bytes.len()),
            Course::Stopped(there) => return there,
        }
    }
    at
}

enum Course {
    /// Nothing ended in the next so many bytes.
    Through(usize),
    Stopped(usize),
}

/// Reads the block at `at`, which may be padded with spaces beyond the end of `bytes`.
#[inline(always)]
fn read(bytes: &[u8], at: usize, block: &[u8; BLOCK]) -> Course {
    let block = Block::of(block);
    let special = block.special();
    if special == 0 {
        return Course::Through(BLOCK);
    }
    let backslash = block.backslashes();
    let escapes = escapes(backslash);
    // What ends the text: a quote or a control character that no backslash covers.
    let ends = special & !backslash & !(escapes << 1);
    let mut left = escapes & ends.wrapping_sub(1) & !ends;
    while left != 0 {
        let offset = left.trailing_zeros() as usize;
        if !is_whole_escape(bytes, at + offset) {
            return Course::Stopped(at + offset);
        }
        left &= left - 1;
    }
    if ends == 0 {
        // An escape in the last place covers the next block's first byte.
        return Course::Through(BLOCK + (escapes >> (BLOCK - 1)) as usize);
    }
    Course::Stopped(at + ends.trailing_zeros() as usize)
}

/// The backslashes that begin an escape: in each run of them the first, the third and so on.
#[inline]
fn escapes(backslash: u64) -> u64 {
    let run_starts = backslash & !(backslash << 1);
    // Adding a run's first bit clears the run, so this keeps exactly the runs that begin in an even place.
    let even_runs = backslash & !backslash.wrapping_add(run_starts & EVEN);
    (even_runs & EVEN) | (backslash & !even_runs & !EVEN)
}

/// What a backslash and a byte make: 0 nothing, 1 a whole escape, 2 the beginning of `\uXXXX`.
static AFTER_BACKSLASH: [u8; 256] = {
    let mut table = [0; 256];
    let simple = b"\"\\/bfnrt";
    let mut index = 0;
    while index < simple.len() {
        table[simple[index] as usize] = 1;
        index += 1;
    }
    table[b'u' as usize] = 2;
    table
};

#[inline]
fn is_whole_escape(bytes: &[u8], backslash: usize) -> bool {
    let Some(byte) = bytes.get(backslash + 1) else {
        return false;
    };
    match AFTER_BACKSLASH[usize::from(*byte)] {
        1 => true,
        2 => bytes
            .get(backslash + 2..)
            .and_then(<[u8]>::first_chunk::<4>)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, a byte at a time.
    fn naive(bytes: &[u8], mut at: usize) -> usize {
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' | 0..=0x1F => return at,
                b'\\' if !is_whole_escape(bytes, at) => return at,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        at
    }

    proptest! {
        #[test]
        fn blocks_stop_where_a_byte_loop_stops(
            parts in proptest::collection::vec(
                prop_oneof![
                    4 => Just(&b"a"[..]), 4 => Just(&b"plain text of some length"[..]), 4 => Just(&b"\\\\"[..]),
                    4 => Just(&b"\\\""[..]), 3 => Just(&b"\\n"[..]), 3 => Just(&b"\\u00eF"[..]), 1 => Just(&b"\""[..]),
                    1 => Just(&b"\\"[..]), 1 => Just(&b"\\u00g0"[..]), 1 => Just(&b"\x1f"[..]), 1 => Just(&b"\xff"[..]),
                ],
                0..120,
            ),
            cut in 0..8usize,
        ) {
            let mut bytes = parts.concat();
            bytes.truncate(bytes.len().saturating_sub(cut));
            for at in 0..=bytes.len().min(70) {
                prop_assert_eq!(skip(&bytes, at), naive(&bytes, at), "from {}", at);
            }
        }
    }
}
