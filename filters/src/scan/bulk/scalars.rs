//! Numbers and words, block by block. Every place that is wrong, or that shows what is wrong before it, is a fault.

use fearless_simd::prelude::*;
use fearless_simd::u8x64;

use super::WINDOW;
use super::marks::{self, Signs};
use super::runs::{Before, Run};

/// What the blocks before leave over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scalars {
    scalar: Before,
    /// The bytes of a word that began in the block before.
    word: u64,
    worded: Before,
    numbers: Numbers,
}

/// Where values that are neither strings nor containers begin, and what is wrong with them.
pub(super) struct Read {
    pub(super) starts: u64,
    pub(super) faults: u64,
}

impl Scalars {
    /// `scalars` are the bytes outside of strings that are no blanks, brackets, commas or colons.
    #[inline(always)]
    pub(super) fn read<S: Simd>(
        &mut self,
        simd: S,
        window: &[u8; WINDOW],
        block: u8x64<S>,
        scalars: u64,
        digits: u64,
    ) -> Read {
        let starts = scalars & !self.scalar.behind(scalars);
        let others = scalars & !digits;
        let signs = if others == 0 { Signs::default() } else { Signs::of(block) };
        let numeric = digits | signs.minus | signs.plus | signs.points | signs.exponents;
        let mut faults = 0;
        let mut word = self.word;
        self.word = 0;
        if scalars & !numeric != 0 {
            let (four, five) = marks::words(simd, window);
            let (four, five) = (four & scalars, five & scalars);
            faults |= (four | five) & !starts;
            let all = four | five;
            word |= all | all << 1 | all << 2 | all << 3 | five << 4;
            self.word = all >> 63 | all >> 62 | all >> 61 | five >> 60;
        }
        let numbers = scalars & !word;
        faults |= self.worded.behind(word) & numbers;
        faults |= numbers & !numeric;
        faults |= self.numbers.read(numbers, digits, marks::zeros(block), signs);
        Read { starts, faults }
    }
}

/// How far a number is that the block before did not end.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    number: Before,
    digit: Before,
    /// Behind what a digit must come.
    open: Before,
    exponent: Before,
    minus: Before,
    point: Before,
    power_sign: Before,
    zero: Before,
    fraction: Run,
    power: Run,
}

impl Numbers {
    #[inline(always)]
    fn read(&mut self, numbers: u64, digits: u64, zeros: u64, signs: Signs) -> u64 {
        let (minus, plus) = (signs.minus & numbers, signs.plus & numbers);
        let (points, exponents) = (signs.points & numbers, signs.exponents & numbers);
        let digits = digits & numbers;
        let starts = numbers & !self.number.behind(numbers);
        let behind_exponent = self.exponent.behind(exponents);
        let first_minus = minus & starts;

        let mut faults = starts & !(digits | minus);
        faults |= minus & !(starts | behind_exponent);
        faults |= plus & !behind_exponent;
        faults |= (points | exponents) & !self.digit.behind(digits);
        faults |= self.open.behind(minus | plus | points) & !digits;
        faults |= behind_exponent & !(digits | minus | plus);

        let whole = digits & (starts | self.minus.behind(first_minus));
        faults |= self.zero.behind(whole & zeros) & digits;
        let fraction = digits & self.point.behind(points);
        faults |= self.fraction.ends(fraction, digits) & points;
        let power_sign = (minus | plus) & behind_exponent;
        let power = digits & (behind_exponent | self.power_sign.behind(power_sign));
        faults | self.power.ends(power, digits) & (points | exponents)
    }
}
