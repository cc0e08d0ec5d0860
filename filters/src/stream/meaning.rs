//! What one event says, by the rules of its style. What is not known says nothing.

use std::borrow::Cow;
use std::slice;

use crate::answers::{Acknowledged, Answers, speaks};
use crate::contract::Modes;
use crate::events::Event;
use crate::scan::{Found, Kind, Slot};
use crate::text;

use super::Style;

/// What an event is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A piece of the answer's text.
    Text,
    /// The end.
    End {
        /// Whether it repeats the answer's text.
        speaks: bool,
    },
    /// An error, whose status was 200.
    Error,
    /// Nothing of these.
    Nothing,
}

/// An event and what its data holds.
pub(super) struct Document<'e> {
    event: &'e Event,
    answers: &'e Answers,
    /// `None` where the data is not JSON, or only its beginning.
    found: Option<Found>,
}

impl<'e> Document<'e> {
    pub(super) fn of(event: &'e Event, answers: &'e Answers) -> Document<'e> {
        let found = if event.cut { None } else { answers.scan(&event.data) };
        Document { event, answers, found }
    }

    pub(super) fn meaning(&self, style: Style) -> Meaning {
        match style {
            Style::A | Style::ALegacy => self.of_conversation(),
            Style::OpenAi => self.of_openai(),
            Style::Anthropic => self.of_anthropic(),
            Style::Cloud => self.of_cloud(),
        }
    }

    /// The data's `type`, as it is written between its quotes.
    pub(super) fn kind(&self) -> Option<Cow<'_, [u8]>> {
        if self.event.cut {
            // Where the servers write a type, they write it first.
            let rest = self.event.data.strip_prefix(br#"{"type":""#)?;
            return rest.split(|byte| *byte == b'"').next().map(Cow::Borrowed);
        }
        let value = self.found.as_ref()?.get(Slot::Type)?;
        let inside = value.span.start + 1..value.span.end.saturating_sub(1);
        (value.kind == Kind::String).then(|| text::raw(self.chunks(), &inside))
    }

    pub(super) fn acknowledged(&self, modes: &Modes) -> Option<Acknowledged> {
        let found = self.found.as_ref()?;
        let mut said = self.answers.read_found(modes, found, self.chunks());
        // An event's own `id` is no call's.
        said.id = said.id.filter(|_| found.get(Slot::RpcId).is_some());
        Some(said)
    }

    /// Style A's types; without a type, what the older style says.
    fn of_conversation(&self) -> Meaning {
        match self.kind().as_deref() {
            Some(b"token") => self.text(Slot::Text),
            Some(b"done") => Meaning::End { speaks: self.speaks(Slot::FullText) },
            Some(b"error") => Meaning::Error,
            Some(_) => Meaning::Nothing,
            None if self.event.name == "done" => Meaning::End { speaks: false },
            None => self.text(Slot::Text),
        }
    }

    fn of_openai(&self) -> Meaning {
        let data = &self.event.data;
        if data.trim_ascii() == b"[DONE]" {
            return Meaning::End { speaks: false };
        }
        let Some(found) = &self.found else {
            return match self.event.cut {
                true if data.starts_with(br#"{"error":"#) => Meaning::Error,
                true => Meaning::Text,
                false => Meaning::Nothing,
            };
        };
        if found.get(Slot::Error).is_some_and(|error| error.kind != Kind::Null) {
            return Meaning::Error;
        }
        match found.get(Slot::Choices) {
            Some(choices) if self.answers.first_choice_speaks(choices, self.chunks()) => {
                Meaning::Text
            }
            _ => Meaning::Nothing,
        }
    }

    fn of_anthropic(&self) -> Meaning {
        let kind = self.kind();
        let name = match &self.event.name[..] {
            b"" => kind.as_deref().unwrap_or(b""),
            name => name,
        };
        match name {
            b"content_block_delta" => self.text(Slot::Delta),
            b"message_stop" => Meaning::End { speaks: false },
            b"error" => Meaning::Error,
            _ => Meaning::Nothing,
        }
    }

    fn of_cloud(&self) -> Meaning {
        match &self.event.name[..] {
            b"chunk" => self.text(Slot::Text),
            b"done" => Meaning::End { speaks: false },
            b"error" => Meaning::Error,
            _ => Meaning::Nothing,
        }
    }

    fn text(&self, slot: Slot) -> Meaning {
        if self.speaks(slot) { Meaning::Text } else { Meaning::Nothing }
    }

    /// Whether there is text. It is what makes an event too long to read.
    fn speaks(&self, slot: Slot) -> bool {
        self.event.cut || self.found.as_ref().is_some_and(|found| speaks(found.get(slot)))
    }

    fn chunks(&self) -> &[bytes::Bytes] {
        slice::from_ref(&self.event.data)
    }
}
