//! Which token may come behind which, block by block: what `machine` says of states, said of places.

use super::marks::Marks;
use super::runs::{After, Run};

/// What the blocks before call for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    value: After,
    key: After,
    /// The end of the container that just began.
    end: After,
    colon: After,
    /// A key that goes on.
    spelling: Run,
}

/// The tokens of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    /// What `marks` tells outside of strings only.
    pub(super) marks: Marks,
    /// Strings, with their first quote and without their last.
    pub(super) strings: u64,
    /// First quotes.
    pub(super) string_starts: u64,
    /// First bytes of numbers and words.
    pub(super) scalar_starts: u64,
    pub(super) in_objects: u64,
}

/// Where keys begin, and what stands where it cannot.
pub(super) struct Read {
    pub(super) keys: u64,
    pub(super) faults: u64,
}

impl Order {
    pub(super) fn before_a_value() -> Self {
        let mut order = Self::default();
        order.value.pending = 1;
        order
    }

    #[inline(always)]
    pub(super) fn read(&mut self, tokens: Tokens) -> Read {
        let Marks { opens, closes, braces, commas, colons, blanks, .. } = tokens.marks;
        let arrays = opens & !braces;
        let objects = opens & braces;
        let between_members = commas & tokens.in_objects;
        let between_elements = commas & !tokens.in_objects;

        let value = self.value.next(colons | between_elements | arrays, blanks);
        let key = self.key.next(between_members | objects, blanks);
        let end = self.end.next(opens, blanks);
        let keys = tokens.string_starts & key;
        let key_ends = self.spelling.ends(keys, tokens.strings);
        let colon = self.colon.next(key_ends, blanks);
        let needed = value | key | colon;

        let mut faults = (tokens.scalar_starts | opens) & !value;
        faults |= tokens.string_starts & !(value | key);
        faults |= colons ^ colon;
        faults |= closes & needed & !end;
        faults |= commas & needed;
        Read { keys, faults }
    }
}
