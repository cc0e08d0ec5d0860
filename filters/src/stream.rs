//! What the events of a streamed answer mean, in each of the styles that the servers behind speak:
//! when the first piece of the answer came, and how the stream ended. It only looks on.

mod meaning;

use std::slice;

use bytes::Bytes;

use crate::answers::{Acknowledged, Answers, is_no_response};
use crate::contract::Modes;
use crate::dialect::Dialect;
use crate::events::{Event, EventReader};
use meaning::{Document, Meaning};

/// How a server streams an answer (wire facts, "SSE styles from the API").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// `data: {"type":"token"|"done"|"error"}`.
    A,
    /// `data: {"text"}`, then `event: done`.
    ALegacy,
    /// OpenAI's chunks, then `[DONE]`.
    OpenAi,
    /// Anthropic's named events.
    Anthropic,
    /// The cloud's: `event: connected`, `chunk`, `done` or `error`.
    Cloud,
}

impl Style {
    /// Every style, in the order of the metrics' labels.
    pub const ALL: [Style; 5] =
        [Style::A, Style::ALegacy, Style::OpenAi, Style::Anthropic, Style::Cloud];

    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Style::A => "a",
            Style::ALegacy => "a_legacy",
            Style::OpenAi => "openai",
            Style::Anthropic => "anthropic",
            Style::Cloud => "cloud",
        }
    }
}

/// How a streamed answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// With the event that ends it.
    Done,
    /// With it, but nothing was said: an error that the server behind swallowed looks so.
    Empty,
    /// With an error inside the stream, whose status was 200.
    Error,
    /// Without the event that ends it.
    Truncated,
    /// The client went.
    Aborted,
}

impl Ending {
    /// Every ending, in the order of the metrics' labels.
    pub const ALL: [Ending; 5] =
        [Ending::Done, Ending::Empty, Ending::Error, Ending::Truncated, Ending::Aborted];

    /// The word that logs and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Ending::Done => "done",
            Ending::Empty => "empty",
            Ending::Error => "error",
            Ending::Truncated => "truncated",
            Ending::Aborted => "aborted",
        }
    }
}

/// An observer of one streamed answer. Where its chunks end makes no difference to what it says of
/// the whole.
#[derive(Debug)]
pub struct Observer {
    events: EventReader,
    course: Course,
}

/// What a chunk brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many events were over in it.
    pub events: usize,
    /// Whether a piece of the answer's text came among them.
    pub content: bool,
    /// What they acknowledged; the first that says a thing counts.
    pub acknowledged: Acknowledged,
}

impl Observer {
    /// An observer of an answer to a message on the route with this name.
    pub fn new(dialect: Dialect, route_name: &str) -> Observer {
        let style = match dialect {
            Dialect::Conversation => Style::A,
            Dialect::OpenAi => Style::OpenAi,
            Dialect::Anthropic => Style::Anthropic,
            Dialect::Rpc => Style::Cloud,
        };
        let course = Course {
            style,
            may_be_legacy: route_name == "/api/chat",
            spoke: false,
            no_response: false,
            ended: false,
            failed: false,
        };
        Observer { events: EventReader::new(), course }
    }

    /// Looks at the next chunk of the answer's body.
    pub fn see(&mut self, chunk: &Bytes, answers: &Answers, modes: &Modes) -> Seen {
        let mut seen = Seen::default();
        let course = &mut self.course;
        self.events.read(chunk, |event| {
            seen.events += 1;
            course.take(&event, answers, modes, &mut seen);
        });
        seen
    }

    /// The style, as far as what came tells.
    pub fn style(&self) -> Style {
        self.course.style
    }

    /// Whether all that was said is `(no response)`.
    pub fn is_no_response(&self) -> bool {
        self.course.no_response
    }

    /// How the stream ended, if its body ended or broke here. That the client went is for the
    /// caller to know: it is never [`Ending::Aborted`].
    pub fn ending(&self) -> Ending {
        match &self.course {
            Course { failed: true, .. } => Ending::Error,
            Course { ended: false, .. } => Ending::Truncated,
            Course { spoke: false, .. } => Ending::Empty,
            _ => Ending::Done,
        }
    }
}

/// How far a stream has come.
#[derive(Debug)]
struct Course {
    style: Style,
    /// Whether the first event that means something may still show that the style is the older.
    may_be_legacy: bool,
    /// Whether a piece of the answer's text came.
    spoke: bool,
    /// Whether the only piece so far is that there is no response.
    no_response: bool,
    ended: bool,
    failed: bool,
}

impl Course {
    /// What comes after an end counts no more, but for an error.
    fn take(&mut self, event: &Event, answers: &Answers, modes: &Modes, seen: &mut Seen) {
        if self.failed {
            return;
        }
        let document = Document::of(event, answers);
        let meaning = document.meaning(self.style);
        if meaning != Meaning::Nothing && self.may_be_legacy {
            self.may_be_legacy = false;
            if document.kind().is_none() {
                self.style = Style::ALegacy;
            }
        }
        self.failed = meaning == Meaning::Error;
        if self.ended {
            return;
        }
        if let Some(acknowledged) = document.acknowledged(modes) {
            seen.acknowledged.add(acknowledged);
        }
        match meaning {
            Meaning::Text => {
                self.no_response = !self.spoke && is_no_response(slice::from_ref(&event.data));
                self.spoke = true;
                seen.content = true;
            }
            Meaning::End { speaks } => {
                // A stream of one event has the answer's text in its end.
                if speaks && !self.spoke {
                    self.no_response = is_no_response(slice::from_ref(&event.data));
                    seen.content = true;
                }
                self.spoke |= speaks;
                self.ended = true;
            }
            Meaning::Error | Meaning::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests;
