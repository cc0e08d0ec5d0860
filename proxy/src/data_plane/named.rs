//! What a message is named by without saying it: digests.

use bytes::Bytes;
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::Verdict;
use modegate_filters::room;

use crate::digest::DigestKey;
use crate::parity::Key;

/// From so many bytes on a text is nobody else's.
const DISTINCT: usize = 32;

/// The digests of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named {
    /// Of its room.
    pub room: Option<u64>,
    /// Whether many conversations share the room: servers behind have other names for it.
    pub is_shared: bool,
    /// Of its text.
    pub text: Option<u64>,
    /// Whether the text is so long that nobody else happens to say the same.
    pub is_distinct: bool,
    /// Of its JSON-RPC id. The cloud writes the id again: its spelling may change.
    pub call: Option<u64>,
}

impl Named {
    /// The digests of a message in these chunks; of its text only where `with_text`, since that is
    /// read to the end.
    pub fn of(
        key: &DigestKey,
        dialect: Dialect,
        verdict: &Verdict,
        chunks: &[Bytes],
        with_text: bool,
    ) -> Named {
        let text = with_text.then(|| verdict.said.text(dialect, chunks)).flatten();
        let named = Named {
            text: text.as_ref().map(|text| key.digest(text)),
            is_distinct: text.is_some_and(|text| text.len() >= DISTINCT),
            call: verdict.id.as_deref().map(|id| key.json_digest(id)),
            ..Named::default()
        };
        named.in_room(key, verdict.room.as_deref())
    }

    /// The same message in another room.
    pub fn in_room(self, key: &DigestKey, room: Option<&str>) -> Named {
        Named {
            room: room.map(|room| key.digest(room)),
            is_shared: room.is_some_and(room::is_shared),
            ..self
        }
    }

    /// What the bridge leg finds a message of the frontend leg by.
    pub fn message_key(self) -> Key {
        Key { text: self.text.unwrap_or(0), room: self.room.unwrap_or(0) }
    }

    /// What the runtime leg finds a message of the bridge leg by.
    pub fn call_key(self) -> Key {
        Key { text: self.call.unwrap_or(0), room: 0 }
    }
}
