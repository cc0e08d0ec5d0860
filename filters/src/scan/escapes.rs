//! The escapes in 64 bytes of a string, as bit masks and without a branch for each: which bytes belong to one, and which
//! of these show that it is none.

use fearless_simd::prelude::*;
use fearless_simd::u8x64;

use super::blocks::BLOCK;

const EVEN: u64 = 0x5555_5555_5555_5555;
/// How long `\uXXXX` is.
const UNIT: usize = 6;

/// What the blocks before leave over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Escapes {
    /// 1 where the first byte belongs to a backslash before it.
    letter: u64,
    /// The first bytes that must be the digits of a `\uXXXX` that began before them.
    digits: u64,
}

/// What the escapes of a block say. Behind the first fault it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The bytes right behind the backslashes that begin an escape.
    pub(super) letters: u64,
    /// Bytes that no escape has in their place.
    pub(super) faults: u64,
}

impl Escapes {
    /// How many bytes before the next block the escape began that goes on there.
    #[inline(always)]
    pub(super) fn begun(self) -> usize {
        match self.digits {
            0 => self.letter as usize,
            digits => UNIT - digits.count_ones() as usize,
        }
    }

    /// Reads a block of which `backslashes` and `quotes` are known.
    #[inline(always)]
    pub(super) fn read<S: Simd>(&mut self, block: u8x64<S>, backslashes: u64, quotes: u64) -> Read {
        let starts = starts(backslashes & !self.letter);
        let letters = starts << 1 | self.letter;
        self.letter = starts >> (BLOCK - 1);
        let others = letters & !(quotes | backslashes | block.simd_eq(b'n').to_bitmask());
        let mut faults = 0;
        if others | self.digits != 0 {
            faults = self.others(block, others);
        }
        Read { letters, faults }
    }

    /// What is wrong with the escapes that are not the three which nearly all are.
    #[inline(always)]
    fn others<S: Simd>(&mut self, block: u8x64<S>, letters: u64) -> u64 {
        let is = |byte| block.simd_eq(byte);
        let simple = is(b'r') | is(b't') | is(b'/') | is(b'b') | is(b'f');
        let units = letters & is(b'u').to_bitmask();
        let digits = units << 1 | units << 2 | units << 3 | units << 4 | self.digits;
        self.digits = units >> 63 | units >> 62 | units >> 61 | units >> 60;
        let ten = (block - b'0').simd_le(9);
        let six = ((block | 0x20) - b'a').simd_le(5);
        letters & !(simple.to_bitmask() | units) | digits & !(ten | six).to_bitmask()
    }
}

/// The backslashes that begin an escape: in each run of them the first, the third and so on.
#[inline(always)]
fn starts(backslashes: u64) -> u64 {
    let run_starts = backslashes & !(backslashes << 1);
    // Adding a run's first bit clears the run, so this keeps exactly the runs that begin in an even place.
    let even_runs = backslashes & !backslashes.wrapping_add(run_starts & EVEN);
    (even_runs & EVEN) | (backslashes & !even_runs & !EVEN)
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;

    use super::*;
    use crate::scan::blocks::{self, levels};

    /// The letters and the first fault of a text of whole blocks, and how far back the last escape began.
    type Told = (Vec<usize>, Option<usize>, usize);

    fn by_bytes(text: &[u8]) -> Told {
        let mut letters = vec![];
        let mut at = 0;
        while at < text.len() {
            if text[at] != b'\\' {
                at += 1;
                continue;
            }
            let Some(letter) = text.get(at + 1) else {
                return (letters, None, 1);
            };
            letters.push(at + 1);
            let length = match letter {
                b'u' => UNIT,
                letter if b"\"\\/bfnrt".contains(letter) => 2,
                _ => return (letters, Some(at + 1), 0),
            };
            let wrong = (at + 2..at + length)
                .find(|digit| text.get(*digit).is_some_and(|digit| !digit.is_ascii_hexdigit()));
            if wrong.is_some() {
                return (letters, wrong, 0);
            }
            if at + length > text.len() {
                return (letters, None, text.len() - at);
            }
            at += length;
        }
        (letters, None, 0)
    }

    fn by_blocks(level: Level, text: &[u8]) -> Told {
        let mut escapes = Escapes::default();
        let mut letters = vec![];
        for (index, block) in text.as_chunks::<BLOCK>().0.iter().enumerate() {
            let read = dispatch!(level, simd => {
                let block = blocks::load(simd, block);
                let [backslashes, quotes] = [b'\\', b'"'].map(|byte| block.simd_eq(byte).to_bitmask());
                escapes.read(block, backslashes, quotes)
            });
            let known = read.faults ^ read.faults.wrapping_sub(1);
            let places = (0..BLOCK).filter(|place| read.letters & known & 1 << place != 0);
            letters.extend(places.map(|place| index * BLOCK + place));
            if read.faults != 0 {
                let fault = index * BLOCK + read.faults.trailing_zeros() as usize;
                return (letters, Some(fault), 0);
            }
        }
        (letters, None, escapes.begun())
    }

    fn check(text: &[u8]) {
        let expected = by_bytes(text);
        for level in levels() {
            let told = by_blocks(level, text);
            assert_eq!(told, expected, "{} with {level:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn every_letter_and_every_digit_is_judged_wherever_a_block_ends() {
        for byte in 0..=u8::MAX {
            for wrong in 1..UNIT {
                let mut escape = *b"\\u0aF9";
                escape[wrong] = byte;
                for at in (0..3).chain(BLOCK - UNIT..BLOCK + 2) {
                    let mut text = [b'a'; 2 * BLOCK];
                    text[at..at + UNIT].copy_from_slice(&escape);
                    check(&text);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn escapes_are_read_as_a_byte_loop_reads_them(
            parts in proptest::collection::vec(
                prop_oneof![
                    40 => Just(&b"a"[..]), 20 => Just(&b"\\\\"[..]), 20 => Just(&b"\\\""[..]),
                    20 => Just(&b"\\n"[..]), 20 => Just(&b"\\t"[..]), 20 => Just(&b"\\u00eF"[..]),
                    1 => Just(&b"\\x"[..]), 1 => Just(&b"\\u00g0"[..]), 1 => Just(&b"\\u\\"[..]),
                ],
                200,
            ),
        ) {
            let text = parts.concat();
            check(&text[..text.len() / BLOCK * BLOCK]);
        }
    }
}
