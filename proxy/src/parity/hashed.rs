//! Hashes what is a digest already.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps whose keys are keyed digests: nobody outside can choose them.
pub type Hashed = BuildHasherDefault<Taken>;

/// Takes the digests as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = self.0.rotate_left(32) ^ digest;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
