//! JSON's number grammar (RFC 8259 section 6) a byte at a time. What a number is worth is nobody's business here.

use super::runs::past_digits;

/// How far into a number we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// What a byte means to the number before it.
pub(super) enum Step {
    /// It belongs to the number.
    Into(Part),
    /// The number ended before it.
    Ended,
    /// The number cannot go on like this.
    Bad,
}

impl Part {
    /// The part a number's first byte opens, if it is one.
    pub(super) fn first(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    pub(super) fn step(self, byte: u8) -> Step {
        use Part::{Exponent, ExponentDigits, ExponentSign, Fraction, Integer, Minus, Point, Zero};
        match (self, byte) {
            (Minus, b'0') => Step::Into(Zero),
            (Minus, b'1'..=b'9') => Step::Into(Integer),
            (Integer, b'0'..=b'9') => Step::Into(Integer),
            (Zero | Integer, b'.') => Step::Into(Point),
            (Point | Fraction, b'0'..=b'9') => Step::Into(Fraction),
            (Zero | Integer | Fraction, b'e' | b'E') => Step::Into(Exponent),
            (Exponent, b'+' | b'-') => Step::Into(ExponentSign),
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => Step::Into(ExponentDigits),
            _ if self.may_end() => Step::Ended,
            _ => Step::Bad,
        }
    }

    /// Whether it may be followed by any number of digits.
    pub(super) fn takes_digits(self) -> bool {
        matches!(self, Self::Integer | Self::Fraction | Self::ExponentDigits)
    }

    /// Whether the document may end here.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

/// The end of the number that begins with the byte `first` at `at`, if it is well-formed and something follows it in
/// `bytes`.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize, first: u8) -> Option<usize> {
    let end = match first {
        b'-' => integer(bytes, at + 1, *bytes.get(at + 1)?)?,
        _ => integer(bytes, at, first)?,
    };
    match bytes.get(end)? {
        b'.' | b'e' | b'E' => fraction(bytes, end),
        _ => Some(end),
    }
}

#[inline]
fn integer(bytes: &[u8], at: usize, first: u8) -> Option<usize> {
    match first {
        b'0' => Some(at + 1),
        b'1'..=b'9' => Some(past_digits(bytes, at + 1)),
        _ => None,
    }
}

fn fraction(bytes: &[u8], mut at: usize) -> Option<usize> {
    if *bytes.get(at)? == b'.' {
        at = some_digits(bytes, at + 1)?;
    }
    if let b'e' | b'E' = bytes.get(at)? {
        at = match bytes.get(at + 1)? {
            b'+' | b'-' => some_digits(bytes, at + 2)?,
            _ => some_digits(bytes, at + 1)?,
        };
    }
    bytes.get(at).map(|_| at)
}

#[inline]
fn some_digits(bytes: &[u8], at: usize) -> Option<usize> {
    let end = past_digits(bytes, at);
    (end > at).then_some(end)
}
