//! Where in 64 bytes of a string something other than plain text stands, as bit masks: bit `i` is byte `i`.

use wide::u8x16;

/// How many bytes a mask covers.
pub(super) const BLOCK: usize = 64;
/// How many bytes the short looks take in.
pub(super) const LANE: usize = 16;

/// What interrupts plain text in a block of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) backslashes: u64,
    /// Quotes and control characters.
    pub(super) ends: u64,
}

#[inline(always)]
pub(super) fn masks(block: &[u8; BLOCK]) -> Masks {
    let lanes = lanes(block);
    Masks { backslashes: bits(lanes.map(is_backslash)), ends: bits(lanes.map(is_end)) }
}

/// Whether nothing interrupts a block: fewer steps than [`masks`] takes.
#[inline(always)]
pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
    let [first, second, third, fourth] = lanes(block);
    let lowest = |bits: u8x16| {
        let (one, other) = ((first ^ bits).min(second ^ bits), (third ^ bits).min(fourth ^ bits));
        one.min(other)
    };
    let ends = lowest(u8x16::splat(SWAP));
    let end = ends.min(u8x16::splat(b' ')).simd_eq(ends);
    let backslash = lowest(u8x16::splat(b'\\')).simd_eq(u8x16::splat(0));
    (end | backslash).to_bitmask() == 0
}

/// The backslashes, quotes and control characters in a lane.
#[inline(always)]
pub(super) fn special_in_lane(lane: &[u8; LANE]) -> u32 {
    let bytes = u8x16::new(*lane);
    (is_backslash(bytes) | is_end(bytes)).to_bitmask()
}

/// Swaps the quote with the space and so joins it to the control characters, which stay among themselves.
const SWAP: u8 = b'"' ^ b' ';

#[inline(always)]
fn is_end(bytes: u8x16) -> u8x16 {
    let swapped = bytes ^ u8x16::splat(SWAP);
    swapped.min(u8x16::splat(b' ')).simd_eq(swapped)
}

#[inline(always)]
fn is_backslash(bytes: u8x16) -> u8x16 {
    bytes.simd_eq(u8x16::splat(b'\\'))
}

#[inline(always)]
pub(super) fn lanes(block: &[u8; BLOCK]) -> [u8x16; 4] {
    let (lanes, _) = block.as_chunks::<LANE>();
    std::array::from_fn(|index| u8x16::new(lanes[index]))
}

#[inline(always)]
pub(super) fn bits(lanes: [u8x16; 4]) -> u64 {
    let [first, second, third, fourth] = lanes.map(|lane| u64::from(lane.to_bitmask()));
    first | second << 16 | third << 32 | fourth << 48
}

/// The blanks in a lane.
#[inline]
pub(super) fn blanks_in_lane(lane: &[u8; LANE]) -> u32 {
    let bytes = u8x16::new(*lane);
    let is = |byte| bytes.simd_eq(u8x16::splat(byte));
    (is(b' ') | is(b'\n') | is(b'\r') | is(b'\t')).to_bitmask()
}

/// The digits in a lane.
#[inline]
pub(super) fn digits_in_lane(lane: &[u8; LANE]) -> u32 {
    let value = u8x16::new(*lane) - u8x16::splat(b'0');
    value.min(u8x16::splat(9)).simd_eq(value).to_bitmask()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(block: &[u8]) -> Masks {
        let mask = |wanted: fn(u8) -> bool| {
            let bits = block.iter().enumerate();
            bits.fold(0, |mask, (index, byte)| mask | u64::from(wanted(*byte)) << index)
        };
        Masks {
            backslashes: mask(|byte| byte == b'\\'),
            ends: mask(|byte| byte == b'"' || byte < 0x20),
        }
    }

    fn check(block: &[u8; BLOCK]) {
        let naive = naive(block);
        let special = naive.backslashes | naive.ends;
        assert_eq!(masks(block), naive, "{block:?}");
        assert_eq!(is_plain(block), special == 0, "{block:?}");
        let lane = block.first_chunk().expect("a block is longer than a lane");
        assert_eq!(u64::from(special_in_lane(lane)), special & 0xFFFF, "{block:?}");
    }

    #[test]
    fn every_byte_is_told_apart_in_every_place() {
        for byte in 0..=u8::MAX {
            for surroundings in [b'a', b'"', b'\\', b' ', 0x1F, 0xFF] {
                for place in [0, 7, 8, 15, 16, 31, 40, 63] {
                    let mut block = [surroundings; BLOCK];
                    block[place] = byte;
                    check(&block);
                }
            }
        }
    }

    #[test]
    fn blanks_and_digits_are_told_apart() {
        for byte in 0..=u8::MAX {
            let mut lane = [b'x'; LANE];
            lane[5] = byte;
            let bit = |is: bool| u32::from(is) << 5;
            assert_eq!(blanks_in_lane(&lane), bit(b" \t\r\n".contains(&byte)), "{byte:#x}");
            assert_eq!(digits_in_lane(&lane), bit(byte.is_ascii_digit()), "{byte:#x}");
        }
    }

    proptest! {
        #[test]
        fn blocks_are_read_as_a_byte_loop_reads_them(
            front in proptest::array::uniform32(any::<u8>()),
            back in proptest::array::uniform32(any::<u8>()),
        ) {
            let mut block = [0; BLOCK];
            block[..32].copy_from_slice(&front);
            block[32..].copy_from_slice(&back);
            check(&block);
        }
    }
}
