//! `murmur3_x86_32` with seed 0, byte by byte: what is hashed stands in pieces, and is short.

/// The hash of some bytes.
pub(super) fn hash(bytes: impl Iterator<Item = u8>) -> u32 {
    let (mut state, mut word, mut length) = (0_u32, 0_u32, 0_u32);
    bytes.for_each(|byte| {
        word |= u32::from(byte) << (length % 4 * 8);
        length = length.wrapping_add(1);
        if length.is_multiple_of(4) {
            state = (state ^ scrambled(word)).rotate_left(13).wrapping_mul(5);
            state = state.wrapping_add(0xe654_6b64);
            word = 0;
        }
    });
    finished(state ^ scrambled(word) ^ length)
}

fn scrambled(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

fn finished(mut hash: u32) -> u32 {
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_unleash_uses(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let theirs = murmur3::murmur3_32(&mut &bytes[..], 0).expect("slices can be read");
            prop_assert_eq!(super::hash(bytes.iter().copied()), theirs);
        }
    }
}
