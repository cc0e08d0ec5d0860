//! Bytes and digests in hexadecimal.

use sha2::{Digest, Sha256};

/// The SHA-256 digest of some bytes, as 64 lowercase digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        push(&mut text, byte);
    }
    text
}

/// Writes a byte behind a text, as two lowercase digits.
pub(crate) fn push(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from(digit + if digit < 10 { b'0' } else { b'a' - 10 }));
    }
}
