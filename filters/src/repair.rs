//! Puts back what one leg let through and the next one lost: mode and room, by edits of bytes. An
//! API server that knows nothing of the contract is carried across by it.

use bytes::Bytes;
use http::HeaderMap;

use crate::bucket::{Assignment, Cohort};
use crate::contract::{Downgrade, Mode, Reading};
use crate::decide::{Action, Decision, Flags, decide};
use crate::dialect::Place;
use crate::edit::{self, Edit};
use crate::inspect::{Policy, Verdict, id, length};
use crate::message::Said;
use crate::route::{Leg, Route};
use crate::scan::{Found, Kind, Slot, Value};
use crate::text;

/// What was let through.
#[derive(Clone, Copy, Debug)]
pub struct PutBack<'a> {
    /// The contract's value as it left, where it asked for a mode other than the default.
    pub value: Option<&'a Bytes>,
    /// The room.
    pub room: Option<&'a str>,
    /// The cohort, where another key told it than the one that this request has, or it has none.
    pub cohort: Option<Cohort>,
}

impl Policy {
    /// Whether what was let through would still have its mode: flags may have changed since.
    pub fn would_leave(&self, flags: Flags, value: Option<&Bytes>, cohort: Cohort) -> Mode {
        decide(flags, &self.contract, &self.reading(value), cohort).effective
    }

    /// The verdict that puts back mode and room in a JSON-RPC request; `None` where it has no
    /// `params` to put them in. The flags of this moment decide on the mode as on any other.
    pub fn repair(
        &self,
        flags: Flags,
        route: &Route,
        headers: &HeaderMap,
        chunks: &[Bytes],
        put_back: &PutBack<'_>,
    ) -> Option<Verdict> {
        let found = self.readable(Leg::Bridge, route, chunks).ok()?;
        let params = found.get(Slot::Params).filter(|params| params.kind == Kind::Object)?;
        let reading = self.reading(put_back.value);
        let place = match put_back.room {
            Some(room) => Place::room(room),
            None => Place::of(route, &found, chunks),
        };
        let assignment = self.canary.assign(self.bucket_key(headers, &place));
        let assignment = match put_back.cohort {
            Some(cohort) => Assignment { cohort, ..assignment },
            None => assignment,
        };
        let decision = decide(flags, &self.contract, &reading, assignment.cohort);
        let mut inserted = Vec::new();
        let mut edits = self.mode_edits(&decision, &found, put_back.value, &mut inserted);
        if let Some(room) = put_back.room {
            edits.extend(room_edit(room, &found, chunks, &mut inserted));
        }
        edits.sort_by_key(|edit| edit.span.start);
        if !inserted.is_empty() {
            if !is_left_empty(params, &edits, chunks) {
                inserted.push(b',');
            }
            let first = params.span.start + 1;
            // Before what is removed from the same place on.
            let at = edits.partition_point(|edit| edit.span.start < first);
            edits.insert(at, Edit { span: first..first, with: Bytes::from(inserted) });
        }
        let verdict = Verdict {
            action: Action::Repair,
            because: Some(decision.because),
            requested: reading.requested,
            effective: decision.effective,
            profile: decision.profile,
            assignment,
            room: place.room,
            is_message: true,
            said: Said::default(),
            value: None,
            edits,
            rejection: None,
            id: id(&found, chunks),
        };
        Some(self.bounded(Leg::Bridge, length(chunks), verdict))
    }

    fn reading(&self, value: Option<&Bytes>) -> Reading {
        let Some(value) = value else { return Reading::ABSENT };
        let whole = Value { kind: Kind::Object, span: 0..value.len() };
        self.reader.read(&self.contract.modes, std::slice::from_ref(value), Some(&whole))
    }

    /// Gives the member that counts the value that left; without one, takes away what was invented.
    fn mode_edits(
        &self,
        decision: &Decision,
        found: &Found,
        value: Option<&Bytes>,
        inserted: &mut Vec<u8>,
    ) -> Vec<Edit> {
        let members = &found.contract;
        let value = match (decision.action, value, self.contract.downgrade) {
            (Action::Strip, ..) => return edit::removal(members),
            (Action::Pass, Some(value), _) => value,
            (_, None, _) if found.get(Slot::Contract).is_none() => return Vec::new(),
            (_, _, Downgrade::Strip) => return edit::removal(members),
            (_, _, Downgrade::Replace) => &self.replacement,
        };
        if found.get(Slot::Contract).is_some() {
            return edit::replacement(members, value);
        }
        insert(inserted, &self.contract.field, value);
        Vec::new()
    }
}

/// The edit that gives the request its room, where it names another one; a missing member is
/// inserted.
fn room_edit(room: &str, found: &Found, chunks: &[Bytes], inserted: &mut Vec<u8>) -> Option<Edit> {
    let quoted = serde_json::Value::from(room).to_string();
    let Some(named) = found.get(Slot::Room) else {
        insert(inserted, "roomId", quoted.as_bytes());
        return None;
    };
    let is_right = named.kind == Kind::String && text::string(chunks, &named.span) == room;
    (!is_right).then(|| Edit { span: named.span.clone(), with: Bytes::from(quoted) })
}

fn insert(inserted: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !inserted.is_empty() {
        inserted.push(b',');
    }
    inserted.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    inserted.push(b':');
    inserted.extend_from_slice(value);
}

/// Whether nothing is in an object behind these edits, which are in its order.
fn is_left_empty(object: &Value, edits: &[Edit], chunks: &[Bytes]) -> bool {
    let mut from = object.span.start + 1;
    let removed = edits.iter().filter(|edit| edit.with.is_empty()).map(|edit| edit.span.clone());
    for span in removed.chain(std::iter::once(object.span.end..object.span.end)) {
        let mut kept = text::slice(chunks, &(from..span.start)).into_iter().flatten();
        if let Some(byte) = kept.find(|byte| !byte.is_ascii_whitespace()) {
            return byte == b'}';
        }
        from = from.max(span.end);
    }
    true
}

#[cfg(test)]
mod tests;
