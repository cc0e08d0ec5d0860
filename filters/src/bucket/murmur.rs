//! `murmur3_x86_32` with seed 0. What is hashed stands in pieces and is short: put together where
//! that takes no memory, it is read by words.

/// Up to which length.
const SHORT: usize = 256;

/// The hash of some pieces, one after another.
pub(super) fn hash(pieces: [&[u8]; 3]) -> u32 {
    let mut short = [0; SHORT];
    let mut length = 0;
    for piece in pieces {
        match short.get_mut(length..length + piece.len()) {
            Some(place) => place.copy_from_slice(piece),
            None => return of(&pieces.concat()),
        }
        length += piece.len();
    }
    of(short.get(..length).unwrap_or_default())
}

fn of(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks();
    let state = words.iter().fold(0_u32, |state, word| {
        let state = (state ^ scrambled(u32::from_le_bytes(*word))).rotate_left(13);
        state.wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let mut last = [0; 4];
    last.iter_mut().zip(rest).for_each(|(byte, one)| *byte = *one);
    // Its length as the hash has it, in 32 bits.
    finished(state ^ scrambled(u32::from_le_bytes(last)) ^ bytes.len() as u32)
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
        fn it_is_what_unleash_uses(
            pieces in proptest::array::uniform3(proptest::collection::vec(any::<u8>(), 0..120)),
        ) {
            let whole = pieces.concat();
            let theirs = murmur3::murmur3_32(&mut &whole[..], 0).expect("slices can be read");
            prop_assert_eq!(super::hash(pieces.each_ref().map(Vec::as_slice)), theirs);
        }
    }
}
