//! Runs over what a string holds, block by block. It stops at whatever ends the string or needs the machine's
//! judgement, and never has to search again for what a block's masks have already told.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::blocks::{self, BLOCK, is_plain, special_in_lane};
use super::escapes::Escapes;

/// After an escape, how many blocks are read as if each held some: about as likely as not they do, which no branch
/// predictor learns.
const PATIENCE: usize = 4;
/// Up to which length a string is read byte by byte.
const SHORT: usize = 4;

/// The first position from `at` on that is not plain text or a whole well-formed escape: the closing quote, a control
/// character, a backslash whose escape is malformed or runs over the end of `bytes`, or the end of `bytes`.
#[inline]
pub(super) fn skip(level: Level, bytes: &[u8], mut at: usize) -> usize {
    // A branch predictor may know how long a short string is, long before a lane's mask would say.
    for _ in 0..SHORT {
        match bytes.get(at) {
            Some(b'"') => return at,
            Some(byte) if *byte >= b' ' && *byte != b'\\' => at += 1,
            _ => return skip_blocks(level, bytes, at),
        }
    }
    if let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_in_lane(lane);
        let first = at + special.trailing_zeros() as usize;
        if special != 0 && bytes.get(first) == Some(&b'"') {
            return first;
        }
    }
    skip_blocks(level, bytes, at)
}

#[inline(never)]
fn skip_blocks(level: Level, bytes: &[u8], at: usize) -> usize {
    dispatch!(level, simd => skip_blocks_by(simd, bytes, at))
}

#[inline(always)]
fn skip_blocks_by<S: Simd>(simd: S, bytes: &[u8], mut at: usize) -> usize {
    let mut escapes = Escapes::default();
    loop {
        if escapes.begun() == 0 {
            at = skip_plain(simd, bytes, at);
        }
        for _ in 0..PATIENCE {
            let begun = at - escapes.begun();
            let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
                return skip_bytes(bytes, begun);
            };
            let block = blocks::load(simd, block);
            let quotes = block.simd_eq(b'"').to_bitmask();
            let controls = block.simd_lt(b' ');
            let read = escapes.read(block, block.simd_eq(b'\\').to_bitmask(), quotes);
            let ends = quotes & !read.letters;
            if ends | read.faults != 0 || controls.any_true() {
                let ends = ends | controls.to_bitmask();
                // The end is not what it seems behind a fault, and that stands behind the backslash it is about.
                if read.faults & (ends ^ ends.wrapping_sub(1)) != 0 {
                    return skip_bytes(bytes, begun);
                }
                return at + ends.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
    }
}

/// The beginning of the first block that is not all plain text, or of the last bytes.
#[inline(always)]
fn skip_plain<S: Simd>(simd: S, bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if !is_plain(blocks::load(simd, block)) {
            break;
        }
        at += BLOCK;
    }
    at
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

fn is_whole_escape(bytes: &[u8], backslash: usize) -> bool {
    match bytes.get(backslash + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => true,
        Some(b'u') => bytes
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
                let expected = skip_bytes(&bytes, at);
                for level in blocks::levels() {
                    prop_assert_eq!(skip(level, &bytes, at), expected, "from {} with {:?}", at, level);
                }
            }
        }
    }
}
