//! One inspected request, from its bytes to its verdict: the order in which the other modules
//! are asked. The proxy and `modegate explain` both call this.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};

use crate::answers::Answers;
use crate::bucket::{Assignment, Canary, KeySource, Share};
use crate::contract::{Contract, Downgrade, Mode, Profile, Reader, Reading, Requested};
use crate::decide::{Action, Because, Flags, decide};
use crate::dialect::{Dialect, Dialects, Place};
use crate::edit::{self, Edit};
use crate::message::Said;
use crate::rejection::Rejection;
use crate::route::{Leg, Route};
use crate::scan::{Found, Kind, Slot, scan};
use crate::text;

/// The longest JSON-RPC id that an error repeats, in bytes of its JSON text.
const ID_LIMIT: usize = 256;

/// The settings that decisions are made by, prepared once per configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) contract: Contract,
    pub(crate) canary: Canary,
    dialects: Dialects,
    answers: Answers,
    pub(crate) reader: Reader,
    pub(crate) replacement: Bytes,
}

/// What is done with one inspected request, and all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What is done.
    pub action: Action,
    /// Which row of the table decided, where the body could be read.
    pub because: Option<Because>,
    /// The mode asked for.
    pub requested: Requested,
    /// The mode that leaves.
    pub effective: Mode,
    /// The profile that applies.
    pub profile: Option<Arc<Profile>>,
    /// The cohort and how it came about.
    pub assignment: Assignment,
    /// The room; `None` where it is not known.
    pub room: Option<String>,
    /// Whether the request carries a message: JSON-RPC has other calls.
    pub is_message: bool,
    /// Where what the message says stands in the body as it came.
    pub said: Said,
    /// Where the value of the contract's member that counts stands in the body as it came.
    pub value: Option<Range<usize>>,
    /// What changes in the body, by offsets in it.
    pub edits: Vec<Edit>,
    /// Why it is refused, with [`Action::Reject`].
    pub rejection: Option<Rejection>,
    /// The JSON-RPC id as its JSON text, for the dialect's errors.
    pub id: Option<String>,
}

impl Verdict {
    /// The verdict on a request whose body was not or could not be read.
    pub fn refused(rejection: Rejection) -> Verdict {
        Verdict {
            action: Action::Reject,
            because: None,
            requested: Requested::Nothing,
            effective: Mode::DEFAULT,
            profile: None,
            assignment: Assignment::NO_KEY,
            room: None,
            is_message: false,
            said: Said::default(),
            value: None,
            edits: Vec::new(),
            rejection: Some(rejection),
            id: None,
        }
    }
}

impl Policy {
    /// A policy from its settings.
    pub fn new(contract: Contract, canary: Canary) -> Policy {
        let default = contract.modes.name(Mode::DEFAULT);
        let replacement = Bytes::from(format!(r#"{{"mode":"{default}"}}"#));
        Policy {
            dialects: Dialects::new(&contract.field),
            answers: Answers::new(&contract.field),
            reader: Reader::new(),
            replacement,
            contract,
            canary,
        }
    }

    /// The contract's settings.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// How answers are read.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// These settings with another share of keys in the canary cohort.
    pub fn with_share(&self, share: Share) -> Policy {
        let canary = Canary { share, ..self.canary.clone() };
        Policy { canary, ..self.clone() }
    }

    /// The canary's settings.
    pub fn canary(&self) -> &Canary {
        &self.canary
    }

    /// The requested mode as a header value, without allocation.
    pub fn requested_header(&self, requested: Requested) -> HeaderValue {
        match requested {
            Requested::Mode(mode) => self.contract.modes.header(mode),
            Requested::Nothing => HeaderValue::from_static("none"),
            Requested::Invalid(_) => HeaderValue::from_static("invalid"),
        }
    }

    /// What the head alone refuses: an encoding other than identity, a declared length over the
    /// limit.
    pub fn refuse_head(&self, leg: Leg, headers: &HeaderMap) -> Option<Rejection> {
        let identity = |value: &HeaderValue| {
            let value = value.as_bytes().trim_ascii();
            value.is_empty() || value.eq_ignore_ascii_case(b"identity")
        };
        if !headers.get_all(CONTENT_ENCODING).iter().all(identity) {
            return Some(Rejection::Encoding);
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|value| value.parse::<u64>().ok())?;
        (length > self.contract.limit(leg) as u64).then_some(Rejection::TooLarge)
    }

    /// The verdict on a request of an inspected route, from its whole body in chunks.
    pub fn inspect(
        &self,
        flags: Flags,
        leg: Leg,
        route: &Route,
        headers: &HeaderMap,
        chunks: &[Bytes],
    ) -> Verdict {
        if let Some(rejection) = self.refuse_head(leg, headers) {
            return Verdict::refused(rejection);
        }
        self.inspect_body(flags, leg, route, headers, chunks)
    }

    /// The same where [`Policy::refuse_head`] was asked before the body was read.
    pub fn inspect_body(
        &self,
        flags: Flags,
        leg: Leg,
        route: &Route,
        headers: &HeaderMap,
        chunks: &[Bytes],
    ) -> Verdict {
        let length = length(chunks);
        if length > self.contract.limit(leg) {
            return Verdict::refused(Rejection::TooLarge);
        }
        let found = match self.readable(leg, route, chunks) {
            Ok(found) => found,
            Err(verdict) => return *verdict,
        };
        let reading = self.reader.read(&self.contract.modes, chunks, found.get(Slot::Contract));
        let place = Place::of(route, &found, chunks);
        let assignment = self.canary.assign(self.bucket_key(headers, &place));
        let is_message = route.dialect != Dialect::Rpc || sends_message(&found, chunks);
        let verdict = self.judge(flags, &found, chunks, &reading, assignment);
        self.bounded(leg, length, Verdict { is_message, room: place.room, ..verdict })
    }

    /// The same verdict on a body of this length, where the body is not too large behind its edits.
    pub(crate) fn bounded(&self, leg: Leg, length: usize, verdict: Verdict) -> Verdict {
        if edit::length(length, &verdict.edits) <= self.contract.limit(leg) {
            return verdict;
        }
        Verdict { id: verdict.id, ..Verdict::refused(Rejection::TooLarge) }
    }

    fn judge(
        &self,
        flags: Flags,
        found: &Found,
        chunks: &[Bytes],
        reading: &Reading,
        assignment: Assignment,
    ) -> Verdict {
        let decision = decide(flags, &self.contract, reading, assignment.cohort);
        let (action, edits) = match (decision.action, self.contract.downgrade) {
            (Action::Strip, _) if found.contract.is_empty() => (Action::Pass, Vec::new()),
            (Action::Strip, _) | (Action::Downgrade, Downgrade::Strip) => {
                (decision.action, edit::removal(&found.contract))
            }
            (Action::Downgrade, Downgrade::Replace) => {
                (Action::Downgrade, edit::replacement(&found.contract, &self.replacement))
            }
            (action @ (Action::Pass | Action::Repair | Action::Reject), _) => (action, Vec::new()),
        };
        let rejection = match decision.because {
            Because::Invalid(fault) => Some(Rejection::Contract(fault)),
            _ => None,
        };
        Verdict {
            action,
            because: Some(decision.because),
            requested: reading.requested,
            effective: decision.effective,
            profile: decision.profile,
            assignment,
            room: None,
            is_message: false,
            said: Said { text: span(found, Slot::Text), system: span(found, Slot::System) },
            value: span(found, Slot::Contract),
            edits,
            rejection,
            id: id(found, chunks),
        }
    }

    /// The scan of a body that its server can read; the runtime's must also be a request that
    /// does not end it.
    pub(crate) fn readable(
        &self,
        leg: Leg,
        route: &Route,
        chunks: &[Bytes],
    ) -> Result<Found, Box<Verdict>> {
        let refused = |rejection| Box::new(Verdict::refused(rejection));
        let found = scan(self.dialects.wanted(route.dialect), chunks)
            .map_err(|_| refused(Rejection::NotJson))?;
        // Of the three servers only the cloud proxy's reader skips byte order marks.
        if found.boms > 0 && leg != Leg::Bridge {
            return Err(refused(Rejection::NotJson));
        }
        if found.root != Kind::Object {
            return Err(refused(Rejection::NotAnObject));
        }
        if leg == Leg::Runtime && route.dialect == Dialect::Rpc && !is_request(&found) {
            let id = id(&found, chunks);
            return Err(Box::new(Verdict { id, ..Verdict::refused(Rejection::NotARequest) }));
        }
        Ok(found)
    }

    pub(crate) fn bucket_key<'a>(
        &self,
        headers: &'a HeaderMap,
        place: &'a Place,
    ) -> Option<&'a str> {
        self.canary.keys.iter().find_map(|source| match source {
            KeySource::Room => place.bucket_key(),
            KeySource::Header(name) => headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .filter(|key| !key.is_empty()),
        })
    }
}

pub(crate) fn length(chunks: &[Bytes]) -> usize {
    chunks.iter().map(Bytes::len).sum()
}

fn span(found: &Found, slot: Slot) -> Option<Range<usize>> {
    found.get(slot).map(|value| value.span.clone())
}

/// Whether the call is the one that carries a message.
fn sends_message(found: &Found, chunks: &[Bytes]) -> bool {
    let method = found.get(Slot::Method).filter(|method| method.kind == Kind::String);
    method.is_some_and(|method| match &*text::raw(chunks, &method.span) {
        b"\"message.send\"" => true,
        spelled => spelled.contains(&b'\\') && text::string(chunks, &method.span) == "message.send",
    })
}

/// What the runtime's entrypoint reads and answers without throwing: `method` a string, `params`
/// an object or absent, `params.text` a string or absent, and an `id` that it can repeat: one may
/// be nested deeper than it can write.
fn is_request(found: &Found) -> bool {
    let kind = |slot| found.get(slot).map(|value| value.kind);
    kind(Slot::Method) == Some(Kind::String)
        && matches!(kind(Slot::Params), None | Some(Kind::Object))
        && matches!(kind(Slot::Text), None | Some(Kind::String))
        && !matches!(kind(Slot::Id), Some(Kind::Object | Kind::Array))
}

/// A JSON-RPC id is a string or a number; others are not repeated. Invalid UTF-8 in it reads as
/// the servers read it.
pub(crate) fn id(found: &Found, chunks: &[Bytes]) -> Option<String> {
    let value = found.get(Slot::Id)?;
    let fits = value.span.len() <= ID_LIMIT;
    let named = matches!(value.kind, Kind::String | Kind::Number);
    (fits && named).then(|| String::from_utf8_lossy(&text::raw(chunks, &value.span)).into_owned())
}

#[cfg(test)]
pub(crate) mod tests;
