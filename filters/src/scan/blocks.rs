//! Where in 64 bytes of a string something other than plain text stands, as bit masks: bit `i` is byte `i`.

use wide::u8x16;

/// How many bytes a mask covers.
pub(super) const BLOCK: usize = 64;
/// How many bytes the short looks take in.
pub(super) const LANE: usize = 16;

/// The bytes of a block that end or interrupt plain text: quotes, backslashes and control characters.
#[derive(Clone, Copy)]
pub(super) struct Block {
    backslashes: [u8x16; 4],
    others: [u8x16; 4],
}

impl Block {
    #[inline(always)]
    pub(super) fn of(bytes: &[u8; BLOCK]) -> Self {
        let (lanes, _) = bytes.as_chunks::<LANE>();
        let lane = |index: usize| u8x16::new(lanes[index]);
        let each = |sort: fn(u8x16) -> u8x16| [sort(lane(0)), sort(lane(1)), sort(lane(2)), sort(lane(3))];
        Self {
            backslashes: each(backslashes),
            others: each(quotes_and_controls),
        }
    }

    #[inline(always)]
    pub(super) fn special(&self) -> u64 {
        let both = |index: usize| self.backslashes[index] | self.others[index];
        bits([both(0), both(1), both(2), both(3)])
    }

    #[inline(always)]
    pub(super) fn backslashes(&self) -> u64 {
        bits(self.backslashes)
    }
}

#[inline(always)]
fn bits(lanes: [u8x16; 4]) -> u64 {
    let [first, second, third, fourth] = lanes.map(|lane| u64::from(lane.to_bitmask()));
    first | second << 16 | third << 32 | fourth << 48
}

/// The special bytes among the first 16 of a string.
#[inline]
pub(super) fn special_in_lane(lane: &[u8; LANE]) -> u32 {
    let bytes = u8x16::new(*lane);
    (backslashes(bytes) | quotes_and_controls(bytes)).to_bitmask()
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

#[inline(always)]
fn backslashes(bytes: u8x16) -> u8x16 {
    bytes.simd_eq(u8x16::splat(b'\\'))
}

#[inline(always)]
fn quotes_and_controls(bytes: u8x16) -> u8x16 {
    let controls = bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
    bytes.simd_eq(u8x16::splat(b'"')) | controls
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Special bytes, and backslashes alone.
    fn naive(block: &[u8]) -> (u64, u64) {
        let mask = |wanted: fn(u8) -> bool| {
            let bits = block.iter().enumerate();
            bits.fold(0, |mask, (index, byte)| mask | u64::from(wanted(*byte)) << index)
        };
        let special = mask(|byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        (special, mask(|byte| byte == b'\\'))
    }

    fn by_lanes(block: &[u8; BLOCK]) -> (u64, u64) {
        let block = Block::of(block);
        (block.special(), block.backslashes())
    }

    #[test]
    fn every_byte_is_told_apart_in_every_place() {
        for byte in 0..=u8::MAX {
            for (surroundings, place) in [(b'a', 0), (b'"', 7), (b'\\', 8), (0xFF, 63), (0x1F, 31)] {
                let mut block = [surroundings; BLOCK];
                block[place] = byte;
                assert_eq!(by_lanes(&block), naive(&block), "{byte:#x} in {surroundings:#x}");
            }
        }
    }

    proptest! {
        #[test]
        fn blocks_are_read_as_a_byte_loop_reads_them(block in proptest::array::uniform32(any::<u8>())) {
            let mut both = [b'"'; BLOCK];
            both[..32].copy_from_slice(&block);
            both[33..63].copy_from_slice(&block[..30]);
            prop_assert_eq!(by_lanes(&both), naive(&both));
            let lane = both.first_chunk().expect("a block is longer than a lane");
            prop_assert_eq!(u64::from(special_in_lane(lane)), naive(&both[..LANE]).0);
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
}
