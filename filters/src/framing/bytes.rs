//! Which bytes may stand where, and how far they go.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16};

const LANE: usize = 16;

/// A class of bytes, as a bit of [`CLASSES`].
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Class {
    /// RFC 9110, section 5.6.2.
    Token = 1,
    /// Visible ASCII: what a target is made of.
    Target = 2,
    /// Whatever is no control character.
    Printed = 4,
    /// The same with the tab: what a field's value is made of.
    Text = 8,
}

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let token = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'
            )
            || matches!(byte, b'_' | b'`' | b'|' | b'~');
        let printed = byte >= b' ' && byte != 0x7F;
        classes[at] = (token as u8 * Class::Token as u8)
            | (byte.is_ascii_graphic() as u8 * Class::Target as u8)
            | (printed as u8 * Class::Printed as u8)
            | ((printed || byte == b'\t') as u8 * Class::Text as u8);
        at += 1;
    }
    classes
}

impl Class {
    /// Whether a byte is of this class.
    #[inline]
    pub(super) fn has(self, byte: u8) -> bool {
        CLASSES[usize::from(byte)] & self as u8 != 0
    }
}

/// The first place from `at` on whose byte is not of a class, or the end.
#[inline]
pub(super) fn skip(class: Class, bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while bytes.get(at).is_some_and(|byte| class.has(*byte)) {
        at += 1;
    }
    at
}

/// The same for [`Class::Target`], in steps of a lane.
#[inline]
pub(super) fn skip_target(bytes: &[u8], at: usize) -> usize {
    let at = dispatch!(Level::baseline(), simd => skip_lanes(bytes, at, |lane| {
        (u8x16::from_slice(simd, lane) - b'!').simd_gt(b'~' - b'!').to_bitmask()
    }));
    skip(Class::Target, bytes, at)
}

/// The same for [`Class::Text`].
#[inline]
pub(super) fn skip_text(bytes: &[u8], at: usize) -> usize {
    let at = dispatch!(Level::baseline(), simd => skip_lanes(bytes, at, |lane| {
        let lane = u8x16::from_slice(simd, lane);
        (lane.simd_lt(b' ') | lane.simd_eq(0x7F)).to_bitmask()
    }));
    skip(Class::Text, bytes, at)
}

/// The place of the first bit that is set for a lane, or where no whole lane is left.
#[inline]
fn skip_lanes(bytes: &[u8], at: usize, stops: impl Fn(&[u8; LANE]) -> u64) -> usize {
    let mut at = at;
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<LANE>) {
        match stops(lane) {
            0 => at += LANE,
            stops => return at + stops.trailing_zeros() as usize,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_stop_where_single_bytes_do() {
        for byte in 0..=u8::MAX {
            for place in [0, 1, 15, 16, 17, 31, 40] {
                let mut bytes = [b'x'; 41];
                bytes[place] = byte;
                for at in [0, 1, place] {
                    let target = skip(Class::Target, &bytes, at);
                    assert_eq!(skip_target(&bytes, at), target, "{byte:#x} at {place}");
                    let text = skip(Class::Text, &bytes, at);
                    assert_eq!(skip_text(&bytes, at), text, "{byte:#x} at {place}");
                }
            }
        }
    }

    #[test]
    fn classes_are_those_of_the_grammar() {
        let all = |class: Class| -> Vec<u8> { (0..=255).filter(|byte| class.has(*byte)).collect() };
        let tokens =
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
        assert_eq!(all(Class::Token), tokens.as_bytes());
        assert_eq!(all(Class::Target), (0x21..=0x7E).collect::<Vec<u8>>());
        let printed = || (0x20..=0x7E).chain(0x80..=0xFF);
        assert_eq!(all(Class::Printed), printed().collect::<Vec<u8>>());
        assert_eq!(all(Class::Text), [9].into_iter().chain(printed()).collect::<Vec<u8>>());
    }
}
