//! What a JSON document of an answer acknowledges: the mode that was applied, the room, the call. A whole answer is one
//! document, a streamed one has one in each event; both are read here.

use std::slice;

use bytes::Bytes;

use crate::contract::{Modes, Reader, Requested};
use crate::scan::{Found, Kind, Slot, Value, Wanted, scan};
use crate::text;

/// What the API server writes where the cloud answered without text, as a JSON string.
const NO_RESPONSE: &[u8] = br#""(no response)""#;
/// The longest document or event that is looked through for it, in bytes: what says nothing is short.
const NO_RESPONSE_LIMIT: usize = 4096;

/// Whether a short document has [`NO_RESPONSE`] for one of its strings, whichever dialect it is in.
pub fn is_no_response(chunks: &[Bytes]) -> bool {
    let length = chunks.iter().map(Bytes::len).sum::<usize>();
    if length > NO_RESPONSE_LIMIT {
        return false;
    }
    let text = text::raw(chunks, &(0..length));
    // A search for all of it takes longer to set up than most answers take to look through.
    memchr::memchr_iter(NO_RESPONSE[1], &text).any(|at| {
        let quote = at.checked_sub(1).and_then(|quote| text.get(quote..));
        quote.is_some_and(|rest| rest.starts_with(NO_RESPONSE))
    })
}

/// The longest JSON-RPC id that is read, in bytes as it is written.
pub const ID_LIMIT: usize = 256;

/// What an upstream says of the message that it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// The contract's member: the mode that was applied.
    pub mode: Option<Requested>,
    /// The room.
    pub room: Option<String>,
    /// The JSON-RPC id, a string or a number, as it is written: of JSON-RPC's answers only, others
    /// have ids of their own.
    pub id: Option<String>,
}

impl Acknowledged {
    /// Adds what a later document says; what was said before stands.
    pub fn add(&mut self, later: Acknowledged) {
        self.mode = self.mode.or(later.mode);
        self.room = self.room.take().or(later.room);
        self.id = self.id.take().or(later.id);
    }
}

/// The members that an answer is scanned for. Built once per configuration.
#[derive(Clone, Debug)]
pub struct Answers {
    document: Wanted,
    choice: Wanted,
    contract: Reader,
}

impl Answers {
    /// The answers, with the contract's member of this name.
    pub fn new(field: &str) -> Answers {
        Answers {
            document: Wanted::new()
                .root(field, Slot::Contract)
                .root("roomId", Slot::Room)
                .root("rpcId", Slot::RpcId)
                .root("id", Slot::Id)
                .root("metadata", Slot::Metadata)
                .root("result", Slot::Result)
                .root("type", Slot::Type)
                .root("text", Slot::Text)
                .root("fullText", Slot::FullText)
                .root("error", Slot::Error)
                .root("choices", Slot::Choices)
                .within("delta", "text", Slot::Delta),
            choice: Wanted::new().within("delta", "content", Slot::Delta),
            contract: Reader::new(),
        }
    }

    /// What a document acknowledges: nothing where it is not JSON, and what is nearest to the root where it says a
    /// thing twice. The mode stands in the root, in `metadata` or in `result.metadata`, the room in `result` as well.
    pub fn read(&self, modes: &Modes, chunks: &[Bytes]) -> Acknowledged {
        match scan(&self.document, chunks) {
            Ok(found) => self.read_found(modes, &found, chunks),
            Err(_) => Acknowledged::default(),
        }
    }

    pub(crate) fn read_found(
        &self,
        modes: &Modes,
        found: &Found,
        chunks: &[Bytes],
    ) -> Acknowledged {
        let metadata = self.inside(found.get(Slot::Metadata), chunks);
        let result = self.inside(found.get(Slot::Result), chunks);
        let deepest = result.as_ref().and_then(|(found, chunks)| {
            let metadata = found.get(Slot::Metadata);
            self.inside(metadata, chunks)
        });

        let mode = |found, chunks| self.mode(modes, found, chunks);
        Acknowledged {
            mode: mode(found, chunks)
                .or_else(|| metadata.as_ref().and_then(|(found, chunks)| mode(found, chunks)))
                .or_else(|| deepest.as_ref().and_then(|(found, chunks)| mode(found, chunks))),
            room: room(found, chunks).or_else(|| {
                let inner = [&metadata, &result, &deepest].into_iter().flatten();
                inner.filter_map(|(found, chunks)| room(found, chunks)).next()
            }),
            id: id(found, chunks),
        }
    }

    /// The document of an event: `None` where it is not JSON.
    pub(crate) fn scan(&self, data: &Bytes) -> Option<Found> {
        scan(&self.document, slice::from_ref(data)).ok()
    }

    /// Whether the first of OpenAI's choices has content.
    pub(crate) fn first_choice_speaks(&self, choices: &Value, chunks: &[Bytes]) -> bool {
        let Some(first) = first_element(choices, chunks) else { return false };
        scan(&self.choice, &first).is_ok_and(|found| speaks(found.get(Slot::Delta)))
    }

    /// What an object inside holds, and its bytes.
    fn inside(&self, value: Option<&Value>, chunks: &[Bytes]) -> Option<(Found, Vec<Bytes>)> {
        let inner = text::slice(chunks, &value?.span);
        let found = scan(&self.document, &inner).ok()?;
        Some((found, inner))
    }

    /// What is no object says nothing.
    fn mode(&self, modes: &Modes, found: &Found, chunks: &[Bytes]) -> Option<Requested> {
        // Other programs have a member of this name with a meaning of their own.
        let value = found.get(Slot::Contract).filter(|value| value.kind == Kind::Object)?;
        Some(self.contract.read(modes, chunks, Some(value)).requested)
    }
}

/// Whether a value is a string that is not empty.
pub(crate) fn speaks(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.kind == Kind::String && value.span.len() > 2)
}

fn room(found: &Found, chunks: &[Bytes]) -> Option<String> {
    let value = found.get(Slot::Room).filter(|value| value.kind == Kind::String)?;
    Some(text::string(chunks, &value.span))
}

fn id(found: &Found, chunks: &[Bytes]) -> Option<String> {
    let value = found.get(Slot::RpcId).or_else(|| found.get(Slot::Id))?;
    if !matches!(value.kind, Kind::String | Kind::Number) || value.span.len() > ID_LIMIT {
        return None;
    }
    let written = text::raw(chunks, &value.span);
    Some(String::from_utf8_lossy(&written).into_owned())
}

/// The first element of an array. What follows it cannot follow a document: there the scan of one stops.
fn first_element(array: &Value, chunks: &[Bytes]) -> Option<Vec<Bytes>> {
    if array.kind != Kind::Array {
        return None;
    }
    let rest = text::slice(chunks, &(array.span.start + 1..array.span.end));
    let end = scan(&Wanted::new(), &rest).err()?.at;
    Some(text::slice(&rest, &(0..end)))
}

#[cfg(test)]
mod tests;
