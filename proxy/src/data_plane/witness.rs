//! Looks on as an answer passes: what it acknowledges, and how a streamed one gets on. Nothing is
//! held back for it.

use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use modegate_filters::answers::{Acknowledged, is_no_response};
use modegate_filters::contract::{Fault, Mode, Modes, Requested};
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::Policy;
use modegate_filters::parity::{self, Verdict};
use modegate_filters::room;
use modegate_filters::stream::{Ending, Observer, Style};
use modegate_filters::tags;
use percent_encoding::percent_decode;

use super::Here;
use super::media::Media;
use super::named::Named;
use crate::digest::DigestKey;
use crate::flags::Settings;
use crate::metrics::{Gauge, Held};

/// The largest answer that is looked into, in bytes; what it is made of is kept until its end, and
/// counts as `limits.body_memory`.
pub const DOCUMENT_LIMIT: usize = 256 * 1024;
/// What a piece of an answer costs beside its bytes: many small ones are soon too many.
const PIECE: usize = 256;

/// The message that is answered.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// How it is carried.
    pub dialect: Dialect,
    /// Its route's name.
    pub route: &'static str,
    /// The mode that left.
    pub mode: Mode,
    /// What it is named by.
    pub named: Named,
}

/// A look at one answer.
#[derive(Debug)]
pub struct Witness {
    asked: Asked,
    body: Body,
    /// The mode that was acknowledged: the first, or the one that contradicts.
    mode: Option<Requested>,
    /// Whether it was said to be another room's, or another call's.
    is_foreign: bool,
    last_event: Option<Instant>,
    spoke: bool,
    /// Whether it comes at once, not as events.
    is_whole: bool,
    /// Whether all that a whole one says is that there is no response.
    no_response: bool,
}

#[derive(Debug)]
enum Body {
    /// What is neither a document nor events, or too large.
    Unread,
    Document {
        pieces: Vec<Bytes>,
        size: usize,
        memory: Option<Held<Here>>,
    },
    Events(Box<Observer>),
}

/// What a piece of an answer brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought {
    /// The first piece of the answer's text.
    pub first: bool,
    /// The moment of an event, and of the one before.
    pub event: Option<(Instant, Option<Instant>)>,
}

impl Witness {
    /// A look at the answer with this head, whose body is of this kind.
    pub fn of(
        asked: Asked,
        media: Media,
        headers: &HeaderMap,
        modes: &Modes,
        digests: &DigestKey,
    ) -> Witness {
        let encoded = headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity");
        let body = match media {
            _ if encoded => Body::Unread,
            Media::Events => Body::Events(Box::new(Observer::new(asked.dialect, asked.route))),
            Media::Json => Body::Document { pieces: Vec::new(), size: 0, memory: None },
            Media::Grpc | Media::Other => Body::Unread,
        };
        let (mode, is_foreign, last_event, spoke) = (None, false, None, false);
        let (is_whole, no_response) = (media != Media::Events, false);
        let mut witness =
            Witness { asked, body, mode, is_foreign, last_event, spoke, is_whole, no_response };
        // Most answers carry none of them: one look at each name costs less than a look-up of each.
        let tagged = headers.keys().any(tags::is_tag);
        let said = |name| {
            tagged.then(|| headers.get(name)).flatten().and_then(|value| value.to_str().ok())
        };
        witness.note(
            &Acknowledged {
                mode: said(tags::MODE).filter(|name| !name.is_empty()).map(|name| {
                    modes.find(name).map_or(Requested::Invalid(Fault::Mode), Requested::Mode)
                }),
                ..Acknowledged::default()
            },
            digests,
        );
        if let Some(room) = said(tags::ROOM).filter(|room| !room.starts_with("sha256:")) {
            let decoded = percent_decode(room.as_bytes()).decode_utf8_lossy();
            witness.is_foreign |=
                witness.is_elsewhere(room, digests) && witness.is_elsewhere(&decoded, digests);
        }
        witness
    }

    /// Looks at the next piece. A document's are kept until its end, as long as there is memory for
    /// them.
    pub fn see(&mut self, piece: &Bytes, settings: &Settings, here: &Here) -> Brought {
        let policy = &settings.policy;
        let seen = match &mut self.body {
            Body::Unread => return Brought::default(),
            Body::Document { pieces, size, memory } => {
                let more = piece.len() + PIECE;
                *size += more;
                let memory = memory.get_or_insert_with(|| Held::nothing(here, Gauge::BodyMemory));
                let is_kept = *size <= DOCUMENT_LIMIT
                    && memory.add(more as u64) <= settings.limits.body_memory as u64;
                match is_kept {
                    true => pieces.push(piece.clone()),
                    false => self.body = Body::Unread,
                }
                return Brought::default();
            }
            Body::Events(observer) => {
                observer.see(piece, policy.answers(), &policy.contract().modes)
            }
        };
        self.note(&seen.acknowledged, &here.digests);
        if seen.events == 0 {
            return Brought::default();
        }
        let first = seen.content && !std::mem::replace(&mut self.spoke, true);
        let now = Instant::now();
        Brought { first, event: Some((now, self.last_event.replace(now))) }
    }

    /// What the answer says of the message, as far as it was seen.
    pub fn verdict(&self) -> Verdict {
        match self.is_foreign {
            true => Verdict::RoomCrossed,
            false => parity::acknowledged(self.asked.mode, self.mode),
        }
    }

    /// Reads a document that was seen to its end.
    pub fn conclude(&mut self, policy: &Policy, digests: &DigestKey) {
        if let Body::Document { pieces, .. } = &self.body {
            let said = policy.answers().read(&policy.contract().modes, pieces);
            self.no_response = is_no_response(pieces);
            self.note(&said, digests);
            self.body = Body::Unread;
        }
    }

    /// Whether its body is a document that is looked into.
    pub fn is_document(&self) -> bool {
        matches!(self.body, Body::Document { .. })
    }

    /// The mode that the answer acknowledged.
    pub fn mode_said(&self) -> Option<Requested> {
        self.mode
    }

    /// The style of a streamed answer, and how it ended where the client did not go.
    pub fn stream(&self) -> Option<(Style, Ending)> {
        match &self.body {
            Body::Events(observer) => Some((observer.style(), observer.ending())),
            Body::Unread | Body::Document { .. } => None,
        }
    }

    /// Whether the answer comes at once, not as events.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether all that the answer says is that there is no response, as far as it was seen.
    pub fn is_no_response(&self) -> bool {
        match &self.body {
            Body::Events(observer) => observer.is_no_response(),
            Body::Unread | Body::Document { .. } => self.no_response,
        }
    }

    /// One contradiction decides, whatever is said beside it.
    fn note(&mut self, said: &Acknowledged, digests: &DigestKey) {
        if self.verdict() != Verdict::AckAltered && said.mode.is_some() {
            self.mode = said.mode;
        }
        let room = said.room.as_deref().is_some_and(|room| self.is_elsewhere(room, digests));
        let call = said.id.as_deref().zip(self.asked.named.call);
        let call = call.is_some_and(|(said, call)| digests.json_digest(said) != call);
        self.is_foreign |= room || call;
    }

    fn is_elsewhere(&self, said: &str, digests: &DigestKey) -> bool {
        let Named { room, is_shared, .. } = self.asked.named;
        let is_own = room.is_none_or(|room| room == digests.digest(said));
        !is_own && !is_shared && !room::is_anybodys(said)
    }
}
