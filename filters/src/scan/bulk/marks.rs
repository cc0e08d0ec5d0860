//! What each of 64 bytes is, as bit masks: bit `i` is byte `i`. It knows no grammar: a comma in a string is a comma here.

use fearless_simd::prelude::*;
use fearless_simd::u8x64;

use super::WINDOW;
use crate::scan::blocks::BLOCK;

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
    pub(super) fn of<S: Simd>(block: u8x64<S>) -> Self {
        let is = |byte| block.simd_eq(byte);
        // `[` and `{`, `]` and `}` differ in one bit only.
        let brackets = block | 0x20;
        let blanks = is(b' ') | is(b'\n') | is(b'\r') | is(b'\t');
        Self {
            quotes: is(b'"').to_bitmask(),
            backslashes: is(b'\\').to_bitmask(),
            controls: block.simd_lt(b' ').to_bitmask(),
            blanks: blanks.to_bitmask(),
            opens: brackets.simd_eq(b'{').to_bitmask(),
            closes: brackets.simd_eq(b'}').to_bitmask(),
            braces: block.simd_eq(brackets).to_bitmask(),
            commas: is(b',').to_bitmask(),
            colons: is(b':').to_bitmask(),
            digits: (block - b'0').simd_le(9).to_bitmask(),
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
    pub(super) fn of<S: Simd>(block: u8x64<S>) -> Self {
        Self {
            minus: block.simd_eq(b'-').to_bitmask(),
            plus: block.simd_eq(b'+').to_bitmask(),
            points: block.simd_eq(b'.').to_bitmask(),
            exponents: (block | 0x20).simd_eq(b'e').to_bitmask(),
        }
    }
}

#[inline(always)]
pub(super) fn zeros<S: Simd>(block: u8x64<S>) -> u64 {
    block.simd_eq(b'0').to_bitmask()
}

/// Where `true` or `null` begins, and where `false`.
#[inline(always)]
pub(super) fn words<S: Simd>(simd: S, window: &[u8; WINDOW]) -> (u64, u64) {
    let from = |ahead: usize| u8x64::from_slice(simd, &window[ahead..ahead + BLOCK]);
    let [zero, one, two, three, last] = [from(0), from(1), from(2), from(3), from(4)];
    let truth = zero.simd_eq(b't') & one.simd_eq(b'r') & two.simd_eq(b'u') & three.simd_eq(b'e');
    let null = zero.simd_eq(b'n') & one.simd_eq(b'u') & two.simd_eq(b'l') & three.simd_eq(b'l');
    let lie = zero.simd_eq(b'f')
        & one.simd_eq(b'a')
        & two.simd_eq(b'l')
        & three.simd_eq(b's')
        & last.simd_eq(b'e');
    ((truth | null).to_bitmask(), lie.to_bitmask())
}
