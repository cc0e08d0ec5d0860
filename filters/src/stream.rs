//! What the events of a streamed answer mean, in each of the styles that the servers behind speak:
//! when the first piece of the answer came, and how the stream ended.

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
