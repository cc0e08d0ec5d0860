//! Looks on as an answer passes: what it acknowledges, and how a streamed one gets on. Nothing is
//! held back for it.

use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use modegate_filters::answers::Acknowledged;
use modegate_filters::contract::{Fault, Modes, Requested};
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::Policy;
use modegate_filters::stream::{Ending, Observer, Style};
use modegate_filters::tags;
use percent_encoding::percent_decode;

use super::named::Named;
use crate::digest::DigestKey;

/// The largest answer that is looked into, in bytes; what it is made of is kept until its end.
pub const DOCUMENT_LIMIT: usize = 256 * 1024;

/// A look at one answer.
#[derive(Debug)]
pub struct Witness {
    body: Body,
    said: Acknowledged,
    /// The room that the answer's head names.
    head_room: Option<HeaderValue>,
    last_event: Option<Instant>,
    spoke: bool,
}

#[derive(Debug)]
enum Body {
    /// What is neither a document nor events, or too large.
    Unread,
    Document {
        chunks: Vec<Bytes>,
        size: usize,
    },
    Events(Box<Observer>),
}

/// What a piece of an answer brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought {
    /// The first piece of the answer's text.
    pub first: bool,
    /// An event; the moment of the one before.
    pub after: Option<Instant>,
}

impl Witness {
    /// A look at the answer with this head, to a message of this dialect and route.
    pub fn of(headers: &HeaderMap, dialect: Dialect, route: &str, modes: &Modes) -> Witness {
        let mode = headers.get(tags::MODE).map(|value| named_mode(value, modes));
        let media = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
        let is = |name: &[u8]| {
            let media = media.trim_ascii_start();
            media.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let encoded = headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity");
        let body = match () {
            () if encoded => Body::Unread,
            () if is(b"text/event-stream") => Body::Events(Box::new(Observer::new(dialect, route))),
            () if is(b"application/json") => Body::Document { chunks: Vec::new(), size: 0 },
            () => Body::Unread,
        };
        Witness {
            body,
            said: Acknowledged { mode, ..Acknowledged::default() },
            head_room: headers.get(tags::ROOM).cloned(),
            last_event: None,
            spoke: false,
        }
    }

    /// Looks at the next piece.
    pub fn see(&mut self, piece: &Bytes, policy: &Policy, now: Instant) -> Brought {
        match &mut self.body {
            Body::Unread => Brought::default(),
            Body::Document { chunks, size } => {
                *size += piece.len();
                match *size > DOCUMENT_LIMIT {
                    true => self.body = Body::Unread,
                    false => chunks.push(piece.clone()),
                }
                Brought::default()
            }
            Body::Events(observer) => {
                let seen = observer.see(piece, policy.answers(), &policy.contract().modes);
                self.said.add(seen.acknowledged);
                if seen.events == 0 {
                    return Brought::default();
                }
                let first = seen.content && !std::mem::replace(&mut self.spoke, true);
                Brought { first, after: self.last_event.replace(now) }
            }
        }
    }

    /// What the answer acknowledged, all of it read.
    pub fn acknowledged(&mut self, policy: &Policy) -> &Acknowledged {
        if let Body::Document { chunks, .. } = &self.body {
            let said = policy.answers().read(&policy.contract().modes, chunks);
            self.said.add(said);
            self.body = Body::Unread;
        }
        &self.said
    }

    /// The mode that the answer acknowledged so far.
    pub fn mode_said(&self) -> Option<Requested> {
        self.said.mode
    }

    /// The style of a streamed answer, and how it ended where the client did not go.
    pub fn stream(&self) -> Option<(Style, Ending)> {
        match &self.body {
            Body::Events(observer) => Some((observer.style(), observer.ending())),
            Body::Unread | Body::Document { .. } => None,
        }
    }

    /// Whether the answer is another room's, or another call's.
    pub fn is_foreign(&self, named: Named, digests: &DigestKey) -> bool {
        let room = |said: &str| named.room.is_some_and(|room| room != digests.digest(said));
        let by_head = self.head_room.as_ref().is_some_and(|header| {
            let text = header.to_str().unwrap_or_default();
            let decoded = percent_decode(text.as_bytes()).decode_utf8_lossy();
            !text.starts_with("sha256:") && room(text) && room(&decoded)
        });
        let by_body = self.said.room.as_deref().is_some_and(room);
        let by_call =
            self.said.id.as_deref().is_some_and(|said| {
                named.call.is_some_and(|call| call != digests.json_digest(said))
            });
        by_call || !named.is_shared && (by_head || by_body)
    }
}

/// A header names a mode, or what is none.
fn named_mode(value: &HeaderValue, modes: &Modes) -> Requested {
    let mode = value.to_str().ok().and_then(|name| modes.find(name));
    mode.map_or(Requested::Invalid(Fault::Mode), Requested::Mode)
}
