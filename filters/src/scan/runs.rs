//! Runs over bytes of one sort: blanks between tokens, digits of numbers. Short runs are the rule, long ones are an
//! attack: both take whole lanes.

use super::blocks::{LANE, blanks_in_lane, digits_in_lane};

/// JSON's white space, which is all that may stand between tokens.
#[inline]
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The first position from `at` on that is not a blank.
#[inline]
pub(super) fn past_blanks(bytes: &[u8], at: usize) -> usize {
    if !bytes.get(at).is_some_and(|byte| is_blank(*byte)) {
        return at;
    }
    if !bytes.get(at + 1).is_some_and(|byte| is_blank(*byte)) {
        return at + 1;
    }
    past(bytes, at + 2, blanks_in_lane, is_blank)
}

/// The first position from `at` on that is not a digit.
#[inline]
pub(super) fn past_digits(bytes: &[u8], mut at: usize) -> usize {
    // A branch predictor may know how long a short number is, long before a lane's mask would say.
    for _ in 0..SHORT {
        if !bytes.get(at).is_some_and(u8::is_ascii_digit) {
            return at;
        }
        at += 1;
    }
    past(bytes, at, digits_in_lane, |byte| byte.is_ascii_digit())
}

/// Up to which length a number is read digit by digit.
const SHORT: usize = 4;

#[inline(always)]
fn past(
    bytes: &[u8],
    mut at: usize,
    in_lane: impl Fn(&[u8; LANE]) -> u64,
    is: impl Fn(u8) -> bool,
) -> usize {
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let run = in_lane(lane).trailing_ones() as usize;
        at += run;
        if run < LANE {
            return at;
        }
    }
    while bytes.get(at).is_some_and(|byte| is(*byte)) {
        at += 1;
    }
    at
}
