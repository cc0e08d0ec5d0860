//! What a scan answers: the values asked for and every occurrence of the contract member, as offsets in the body.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;

use super::wanted::Slot;

/// The JSON type of a value, told by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A wanted member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its JSON type.
    pub kind: Kind,
    /// Offsets in the whole body; a string's quotes are inside.
    pub span: Range<usize>,
}

/// One occurrence of the contract member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The offset of the key's opening quote.
    pub key: usize,
    /// Where its value stands.
    pub value: Range<usize>,
    /// The one comma to delete with it: the comma after it while only contract members precede it in its object,
    /// the comma before it otherwise, so that whatever is left has one comma between two members.
    pub comma: Option<NonZeroUsize>,
}

/// What a scan found in a well-formed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The type of the document's one value. Members are only looked for in an object.
    pub root: Kind,
    /// Byte order marks before the document, at most two. Servers differ in whether they accept one.
    pub boms: u8,
    /// Every occurrence of [`Slot::Contract`] in the order of the body, hidden duplicates included.
    pub contract: Vec<Member>,
    pub(super) values: [Option<Value>; Slot::COUNT],
}

impl Found {
    pub(super) fn nothing() -> Self {
        Self {
            root: Kind::Null,
            boms: 0,
            contract: Vec::new(),
            values: [const { None }; Slot::COUNT],
        }
    }

    /// The value `JSON.parse` would give the member: the last duplicate counts, and a later duplicate of the object
    /// around it hides all that the earlier one held.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Value> {
        self.values.get(slot as usize)?.as_ref()
    }
}

/// The body is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The offset of the first byte that cannot stand where it does; the body's length if it ends too early.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}
