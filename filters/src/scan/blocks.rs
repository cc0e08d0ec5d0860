//! Looks at 64 bytes at once, in vectors as wide as the processor has them, and short looks at 16.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x64};

/// How many bytes a mask covers.
pub(super) const BLOCK: usize = 64;
/// How many bytes the short looks take in.
pub(super) const LANE: usize = 16;

/// 64 bytes as the processor takes them.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, block: &[u8; BLOCK]) -> u8x64<S> {
    u8x64::from_slice(simd, block)
}

/// Whether a string's block holds neither quotes nor backslashes nor control characters.
#[inline(always)]
pub(super) fn is_plain<S: Simd>(block: u8x64<S>) -> bool {
    let ends = (block ^ SWAP).simd_le(b' ');
    !(ends | block.simd_eq(b'\\')).any_true()
}

/// The backslashes, quotes and control characters in a lane.
#[inline(always)]
pub(super) fn special_in_lane(lane: &[u8; LANE]) -> u64 {
    // What every processor has can be used without a call.
    dispatch!(Level::baseline(), simd => {
        let bytes = u8x16::from_slice(simd, lane);
        ((bytes ^ SWAP).simd_le(b' ') | bytes.simd_eq(b'\\')).to_bitmask()
    })
}

/// Swaps the quote with the space and so joins it to the control characters, which stay among themselves.
const SWAP: u8 = b'"' ^ b' ';

/// The blanks in a lane.
#[inline]
pub(super) fn blanks_in_lane(lane: &[u8; LANE]) -> u64 {
    dispatch!(Level::baseline(), simd => {
        let bytes = u8x16::from_slice(simd, lane);
        let is = |byte| bytes.simd_eq(byte);
        (is(b' ') | is(b'\n') | is(b'\r') | is(b'\t')).to_bitmask()
    })
}

/// The digits in a lane.
#[inline]
pub(super) fn digits_in_lane(lane: &[u8; LANE]) -> u64 {
    dispatch!(Level::baseline(), simd => {
        (u8x16::from_slice(simd, lane) - b'0').simd_le(9).to_bitmask()
    })
}

/// What this processor can be asked to use, the best first.
#[cfg(test)]
pub(super) fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let others = [
        best.as_avx2().map(Simd::level),
        best.as_sse4_2().map(Simd::level),
        best.as_sse2().map(Simd::level),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let others: [Option<Level>; 0] = [];
    [best].into_iter().chain(others.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(block: &[u8; BLOCK]) {
        let special = |byte: &u8| *byte == b'\\' || *byte == b'"' || *byte < b' ';
        for level in levels() {
            let plain = dispatch!(level, simd => is_plain(load(simd, block)));
            assert_eq!(plain, !block.iter().any(special), "{block:?} with {level:?}");
        }
        let lane = block.first_chunk().expect("a block is longer than a lane");
        let naive = lane.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(special(byte)));
        assert_eq!(special_in_lane(lane), naive, "{block:?}");
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
            let bit = |is: bool| u64::from(is) << 5;
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
