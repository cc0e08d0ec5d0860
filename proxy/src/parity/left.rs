//! What a leg let through.

use bytes::Bytes;
use modegate_filters::bucket::Cohort;
use modegate_filters::contract::Mode;
use modegate_filters::tags::Trace;

/// The longest value of the contract that is kept as it was written, in bytes.
pub const VALUE_LIMIT: usize = 4096;

/// A request that went on, as the next leg is compared with it.
#[derive(Clone, Debug)]
pub struct Left {
    /// The effective mode.
    pub mode: Mode,
    /// The cohort; `None` where the request had no bucket key.
    pub cohort: Option<Cohort>,
    /// The rank of the key that the cohort was told by: another key has another one.
    pub rank: Option<u64>,
    /// The digest of its text.
    pub text: Option<u64>,
    /// The room.
    pub room: Option<Box<str>>,
    /// The contract's value as it left, where its mode is not the default.
    pub value: Option<Bytes>,
    /// The request's id.
    pub request_id: Box<str>,
    /// Its trace.
    pub trace: Trace,
    /// The id of that span.
    pub span: u64,
    /// The flags snapshot that it saw.
    pub generation: u64,
}

impl Left {
    /// How many bytes it takes beside its own size.
    pub fn bytes(&self) -> usize {
        // With what the allocator adds to each piece.
        let pieces = [
            self.room.as_ref().map_or(0, |room| room.len()),
            self.value.as_ref().map_or(0, |value| value.len() + 2 * size_of::<usize>()),
            self.request_id.len(),
        ];
        pieces.iter().map(|piece| piece.next_multiple_of(16)).sum()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record of the request with this id, and of little else.
    pub fn left(request_id: &str) -> Left {
        Left {
            mode: Mode::DEFAULT,
            cohort: None,
            rank: None,
            text: None,
            room: Some("room".into()),
            value: None,
            request_id: request_id.into(),
            trace: Trace::new(1),
            span: 1,
            generation: 1,
        }
    }
}
