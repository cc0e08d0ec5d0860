//! Random UUIDs, as the servers give conversations, calls and completions.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// `crypto.randomUUID()`: version 4. Random enough to tell demonstrations apart, no secret.
pub fn random_uuid() -> String {
    let half = || RandomState::new().build_hasher().finish();
    let bits = u128::from(half()) << 64 | u128::from(half());
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differ_and_are_version_4() {
        let (one, other) = (random_uuid(), random_uuid());
        assert_ne!(one, other);
        assert_eq!((one.len(), &one[14..15]), (36, "4"));
    }
}
