//! Keyed digests: how logs name a room without saying which it is.

use std::hash::{BuildHasher, RandomState};

/// A key of this process, drawn at its start: digests of two processes cannot be compared.
#[derive(Debug, Default)]
pub struct DigestKey(RandomState);

impl DigestKey {
    /// The keyed digest (SipHash) of a text.
    pub fn digest(&self, text: &str) -> u64 {
        self.0.hash_one(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_gives_one_digest_and_two_keys_two() {
        let (one, other) = (DigestKey::default(), DigestKey::default());
        assert_eq!(one.digest("room"), one.digest("room"));
        assert_ne!(one.digest("room"), one.digest("room "));
        assert_ne!(one.digest("room"), other.digest("room"));
    }
}
