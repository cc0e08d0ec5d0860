//! Keyed digests: how logs name a room without saying which it is.

use std::hash::{BuildHasher, Hasher, RandomState};

/// So much of a text is hashed by the strong hash: a digest of all of it would cost a large message
/// more than all else that is done with it. The rest goes into it as a digest by a fast one.
const STRONG: usize = 1024;

/// A key of this process, drawn at its start: digests of two processes cannot be compared.
#[derive(Debug, Default)]
pub struct DigestKey {
    strong: RandomState,
    fast: foldhash::quality::RandomState,
}

impl DigestKey {
    /// The keyed digest (SipHash) of a text.
    pub fn digest(&self, text: &str) -> u64 {
        let bytes = text.as_bytes();
        let Some((start, rest)) = bytes.split_at_checked(STRONG) else {
            return self.strong.hash_one(bytes);
        };
        let mut hasher = self.strong.build_hasher();
        hasher.write(start);
        hasher.write_u64(self.fast.hash_one(rest));
        hasher.finish()
    }

    /// The same of a JSON string or number, however it is spelled.
    pub fn json_digest(&self, json: &str) -> u64 {
        let spelled = json.contains('\\').then(|| serde_json::from_str::<serde_json::Value>(json));
        match spelled {
            Some(Ok(value)) => self.digest(&value.to_string()),
            _ => self.digest(json),
        }
    }

    /// The same of bytes that are no text.
    pub fn digest_bytes(&self, bytes: &[u8]) -> u64 {
        self.strong.hash_one(bytes)
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

    #[test]
    fn every_byte_of_a_long_text_counts() {
        let key = DigestKey::default();
        let text = "x".repeat(3000);
        let mut digests = vec![key.digest(&text), key.digest(&text[1..])];
        for at in [0, 1023, 1024, 2999] {
            let mut other = text.clone();
            other.replace_range(at..=at, "y");
            digests.push(key.digest(&other));
        }
        let different: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
    }
}
