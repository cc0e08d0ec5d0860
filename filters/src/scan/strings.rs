//! Runs over what a string holds, block by block. It stops at whatever ends the string or needs the machine's
//! judgement, and never has to search again for what a block's masks have already told.

use super::blocks::{BLOCK, is_plain, masks, special_in_lane};

const EVEN: u64 = 0x5555_5555_5555_5555;

/// A block and what an escape in its last place needs to be judged.
pub(super) const WINDOW: usize = BLOCK + 8;
/// After an escape, how many blocks are read as if each held some: about as likely as not they do, which no branch
/// predictor learns.
const PATIENCE: usize = 4;
/// Up to which length a string is read byte by byte.
const SHORT: usize = 4;
/// How many escapes are looked at before asking whether there are more.
const ROUND: usize = 4;

/// The first position from `at` on that is not plain text or a whole well-formed escape: the closing quote, a control
/// character, a backslash whose escape is malformed or runs over the end of `bytes`, or the end of `bytes`.
#[inline]
pub(super) fn skip(bytes: &[u8], mut at: usize) -> usize {
    // A branch predictor may know how long a short string is, long before a lane's mask would say.
    for _ in 0..SHORT {
        match bytes.get(at) {
            Some(b'"') => return at,
            Some(byte) if *byte >= b' ' && *byte != b'\\' => at += 1,
            _ => return skip_blocks(bytes, at),
        }
    }
    if let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_in_lane(lane);
        let first = at + special.trailing_zeros() as usize;
        if special != 0 && bytes.get(first) == Some(&b'"') {
            return first;
        }
    }
    skip_blocks(bytes, at)
}

#[inline(never)]
fn skip_blocks(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = skip_plain(bytes, at);
        match skip_escapes(bytes, at) {
            Course::Through(there) if there > at => at = there,
            Course::Through(there) => return skip_bytes(bytes, there),
            Course::Stopped(there) => return there,
        }
    }
}

/// The beginning of the first block that is not all plain text, or of the last bytes.
#[inline(always)]
fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if !is_plain(block) {
            break;
        }
        at += BLOCK;
    }
    at
}

enum Course {
    Through(usize),
    Stopped(usize),
}

/// Reads a few blocks without asking which of them hold escapes. Goes nowhere when the end of `bytes` is too near.
#[inline(always)]
fn skip_escapes(bytes: &[u8], mut at: usize) -> Course {
    // Whether the block's first byte belongs to an escape that began in the block before.
    let mut covered = 0;
    for _ in 0..PATIENCE {
        let Some(window) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) else {
            break;
        };
        let Some(block) = window.first_chunk() else {
            break;
        };
        let masks = masks(block);
        let escapes = escapes(masks.backslashes & !covered);
        let ends = masks.ends & !(escapes << 1 | covered);
        let judged = escapes & ends.wrapping_sub(1) & !ends;
        if !all_simple(window, judged)
            && let Some(stop) = first_not_whole(bytes, at, judged)
        {
            return Course::Stopped(stop);
        }
        if ends != 0 {
            return Course::Stopped(at + ends.trailing_zeros() as usize);
        }
        covered = escapes >> (BLOCK - 1);
        at += BLOCK;
    }
    Course::Through(at + covered as usize)
}

/// Whether each of the `escapes` is one of two bytes.
#[inline(always)]
fn all_simple(window: &[u8; WINDOW], mut escapes: u64) -> bool {
    let mut others = 0;
    loop {
        for _ in 0..ROUND {
            let after = escapes.trailing_zeros() as usize + 1;
            let present = u8::from(escapes == 0).wrapping_sub(1);
            others |= present & AFTER_BACKSLASH[usize::from(window[after])];
            escapes &= escapes.wrapping_sub(1);
        }
        if escapes == 0 {
            return others == SIMPLE;
        }
    }
}

/// Whether each of the `escapes` is whole and well-formed.
#[inline(always)]
pub(super) fn all_whole(window: &[u8; WINDOW], escapes: u64) -> bool {
    all_simple(window, escapes) || first_not_whole(window, 0, escapes).is_none()
}

#[inline(never)]
fn first_not_whole(bytes: &[u8], at: usize, mut escapes: u64) -> Option<usize> {
    while escapes != 0 {
        let backslash = at + escapes.trailing_zeros() as usize;
        if !is_whole_escape(bytes, backslash) {
            return Some(backslash);
        }
        escapes &= escapes - 1;
    }
    None
}

/// The last bytes, one by one.
fn skip_bytes(bytes: &[u8], mut at: usize) -> usize {
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

/// The backslashes that begin an escape: in each run of them the first, the third and so on.
#[inline]
pub(super) fn escapes(backslash: u64) -> u64 {
    let run_starts = backslash & !(backslash << 1);
    // Adding a run's first bit clears the run, so this keeps exactly the runs that begin in an even place.
    let even_runs = backslash & !backslash.wrapping_add(run_starts & EVEN);
    (even_runs & EVEN) | (backslash & !even_runs & !EVEN)
}

const SIMPLE: u8 = 0;
const UNIT: u8 = 1;
const BAD: u8 = 2;

/// What a backslash and a byte make: a whole escape, the beginning of `\uXXXX`, or nothing.
static AFTER_BACKSLASH: [u8; 256] = {
    let mut table = [BAD; 256];
    let simple = b"\"\\/bfnrt";
    let mut index = 0;
    while index < simple.len() {
        table[simple[index] as usize] = SIMPLE;
        index += 1;
    }
    table[b'u' as usize] = UNIT;
    table
};

static IS_DIGIT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_hexdigit();
        byte += 1;
    }
    table
};

#[inline]
fn is_whole_escape(bytes: &[u8], backslash: usize) -> bool {
    let Some(byte) = bytes.get(backslash + 1) else {
        return false;
    };
    match AFTER_BACKSLASH[usize::from(*byte)] {
        SIMPLE => true,
        UNIT => {
            bytes.get(backslash + 2..).and_then(<[u8]>::first_chunk::<4>).is_some_and(|digits| {
                digits.iter().fold(true, |all, digit| all & IS_DIGIT[usize::from(*digit)])
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
                prop_assert_eq!(skip(&bytes, at), skip_bytes(&bytes, at), "from {}", at);
            }
        }
    }
}
