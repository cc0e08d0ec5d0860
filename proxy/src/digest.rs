//! Keyed digests: how logs name a room without saying which it is.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use modegate_filters::text;

/// So much of a text is hashed by the strong hash: a digest of all of it would cost a large message
/// more than all else that is done with it. The rest goes into it as a digest by a fast one.
const STRONG: usize = 1024;
/// Of what is longer than two of these only its first and its last so many bytes count, and its
/// length.
const END: usize = 4096;

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
        let length = bytes.len();
        let ends = bytes.get(STRONG..END).zip(bytes.get(length.saturating_sub(END)..));
        hasher.write_u64(match ends.filter(|_| length > 2 * END) {
            None => self.fast.hash_one(rest),
            Some(ends) => self.fast.hash_one((ends, length)),
        });
        hasher.finish()
    }

    /// The same of a JSON string or number, however it is spelled.
    pub fn json_digest(&self, json: &str) -> u64 {
        if json.contains('\\') {
            let whole = [Bytes::copy_from_slice(json.as_bytes())];
            return self.digest(&format!("\"{}\"", text::string(&whole, &(0..json.len()))));
        }
        match json.parse::<f64>() {
            // Adding zero gives -0 the sign that JSON.stringify leaves it.
            Ok(number) if !json.starts_with('"') => self.digest(&format!("{}", number + 0.0)),
            _ => self.digest(json),
        }
    }

    /// A keyed digest of what is short, by the fast hash: nobody outside gets to see it.
    pub fn fast_digest(&self, bytes: &[u8]) -> u64 {
        self.fast.hash_one(bytes)
    }
}

/// A digest as logs, answers and traces write it.
pub fn hex(digest: u64) -> String {
    format!("{digest:016x}")
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
    fn a_json_value_has_one_digest_however_it_is_spelled() {
        let key = DigestKey::default();
        let alike = [
            [r#""call""#, r#""c\u0061ll""#],
            [r#""\uD800""#, r#""\ud800""#],
            ["1", "1.0"],
            ["1000", "1e3"],
            ["0", "-0"],
            ["9007199254740993", "9007199254740992"],
        ];
        for [one, other] in alike {
            assert_eq!(key.json_digest(one), key.json_digest(other), "{one} {other}");
        }
        assert_ne!(key.json_digest("1"), key.json_digest(r#""1""#));
        assert_ne!(key.json_digest("1"), key.json_digest("2"));
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
        let long = |start: &str, end: &str, length: usize| {
            key.digest(&format!("{start}{}{end}", "x".repeat(length)))
        };
        let digests = [long("a", "b", 20_000), long("b", "b", 20_000), long("a", "a", 20_000)];
        assert!(digests[1..].iter().all(|other| *other != digests[0]));
        assert_ne!(digests[0], long("a", "b", 20_001));
    }
}
