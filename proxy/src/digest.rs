//! Keyed digests: how logs name a room without saying which it is.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use bytes::Bytes;
use modegate_filters::text;

/// How much of a text its digest takes in: a digest of it all would cost a large message more
/// than all else that is done with it.
const TEXT_PREFIX: usize = 1024;

/// A key of this process, drawn at its start: digests of two processes cannot be compared.
#[derive(Debug, Default)]
pub struct DigestKey(RandomState);

impl DigestKey {
    /// The keyed digest (SipHash) of a text.
    pub fn digest(&self, text: &str) -> u64 {
        self.0.hash_one(text)
    }

    /// The keyed digest of a span of a body: of its first KiB as it is written, and of its length.
    pub fn digest_span(&self, chunks: &[Bytes], span: &Range<usize>) -> u64 {
        let mut hasher = self.0.build_hasher();
        let prefix = span.start..span.end.min(span.start + TEXT_PREFIX);
        for slice in text::slice(chunks, &prefix) {
            hasher.write(&slice);
        }
        hasher.write_usize(span.len());
        hasher.finish()
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
    fn a_span_has_one_digest_however_it_is_chunked() {
        let key = DigestKey::default();
        let body = Bytes::from("x".repeat(3000));
        let whole = key.digest_span(std::slice::from_ref(&body), &(10..2500));
        let halves = [body.slice(..700), body.slice(700..)];
        assert_eq!(key.digest_span(&halves, &(10..2500)), whole);
        assert_ne!(key.digest_span(&halves, &(10..2501)), whole);
    }
}
