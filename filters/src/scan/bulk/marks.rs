//! What each of 64 bytes is, as bit masks: bit `i` is byte `i`. It knows no grammar: a comma in a string is a comma here.

use wide::u8x16;

use super::WINDOW;
use crate::scan::blocks::{BLOCK, LANE, bits, lanes};

/// The bytes that tell tokens apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// Bytes that cannot stand in a string.
    pub(super) controls: u64,
    pub(super) blanks: u64,
    pub(super) opens: u64,
    pub(super) closes: u64,
    /// Among the brackets, those of objects; elsewhere meaningless.
    pub(super) braces: u64,
    pub(super) commas: u64,
    pub(super) colons: u64,
    pub(super) digits: u64,
}

impl Marks {
    #[inline(always)]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let lanes = Lanes::of(block);
        // `[` and `{`, `]` and `}` differ in one bit only.
        let brackets = lanes.map(|bytes| bytes | splat(0x20));
        Self {
            quotes: lanes.equal(b'"'),
            backslashes: lanes.equal(b'\\'),
            controls: lanes.at_most(0x1F),
            blanks: lanes.mask(|bytes| {
                let is = |byte| bytes.simd_eq(splat(byte));
                is(b' ') | is(b'\n') | is(b'\r') | is(b'\t')
            }),
            opens: brackets.equal(b'{'),
            closes: brackets.equal(b'}'),
            braces: lanes.mask(|bytes| (bytes & splat(0x20)).simd_eq(splat(0x20))),
            commas: lanes.equal(b','),
            colons: lanes.equal(b':'),
            digits: lanes.map(|bytes| bytes - splat(b'0')).at_most(9),
        }
    }
}

/// What numbers have besides digits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    pub(super) minus: u64,
    pub(super) plus: u64,
    pub(super) points: u64,
    pub(super) exponents: u64,
}

impl Signs {
    #[inline(always)]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let lanes = Lanes::of(block);
        Self {
            minus: lanes.equal(b'-'),
            plus: lanes.equal(b'+'),
            points: lanes.equal(b'.'),
            exponents: lanes.map(|bytes| bytes | splat(0x20)).equal(b'e'),
        }
    }
}

#[inline(always)]
pub(super) fn zeros(block: &[u8; BLOCK]) -> u64 {
    Lanes::of(block).equal(b'0')
}

/// Where `true` or `null` begins, and where `false`.
#[inline(always)]
pub(super) fn words(window: &[u8; WINDOW]) -> (u64, u64) {
    let [mut four, mut five] = [0; 2];
    for lane in 0..BLOCK / LANE {
        let load = |ahead: usize| {
            let bytes = window.get(lane * LANE + ahead..).and_then(<[u8]>::first_chunk);
            u8x16::new(*bytes.unwrap_or(&[0; LANE]))
        };
        let [zero, one, two, three, last] = [load(0), load(1), load(2), load(3), load(4)];
        let is = |bytes: u8x16, byte| bytes.simd_eq(splat(byte));
        let truth = is(zero, b't') & is(one, b'r') & is(two, b'u') & is(three, b'e');
        let null = is(zero, b'n') & is(one, b'u') & is(two, b'l') & is(three, b'l');
        let lie = is(zero, b'f') & is(one, b'a') & is(two, b'l') & is(three, b's') & is(last, b'e');
        four |= u64::from((truth | null).to_bitmask()) << (lane * LANE);
        five |= u64::from(lie.to_bitmask()) << (lane * LANE);
    }
    (four, five)
}

#[derive(Clone, Copy)]
struct Lanes([u8x16; BLOCK / LANE]);

impl Lanes {
    #[inline(always)]
    fn of(block: &[u8; BLOCK]) -> Self {
        Self(lanes(block))
    }

    #[inline(always)]
    fn map(self, to: impl Fn(u8x16) -> u8x16) -> Self {
        Self(self.0.map(to))
    }

    #[inline(always)]
    fn mask(self, such: impl Fn(u8x16) -> u8x16) -> u64 {
        bits(self.0.map(such))
    }

    #[inline(always)]
    fn equal(self, byte: u8) -> u64 {
        self.mask(|bytes| bytes.simd_eq(splat(byte)))
    }

    #[inline(always)]
    fn at_most(self, byte: u8) -> u64 {
        self.mask(|bytes| bytes.min(splat(byte)).simd_eq(bytes))
    }
}

#[inline(always)]
fn splat(byte: u8) -> u8x16 {
    u8x16::splat(byte)
}
