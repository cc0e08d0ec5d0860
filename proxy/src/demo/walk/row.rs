//! One row of the walk's table: what a client was answered and what each origin saw, and where
//! that differs from what was to be expected.

use std::fmt;

use http::StatusCode;

use super::step::MessageKind;
use crate::demo::call::{Answer, header};
use crate::demo::origins::Hop;
use crate::demo::recorder::Recorded;

const MESSAGE_WIDTH: usize = 13;
const ANSWER_WIDTH: usize = 11;
const PROCESSING_WIDTH: usize = 18;
const FIRST_WIDTH: usize = PROCESSING_WIDTH + 1 + 22;
const LATER_WIDTH: usize = 22;

/// The table's first two lines, above rows that start with the step's number and two spaces: 120
/// columns with them.
pub fn heading() -> String {
    let lines = [
        [
            "message",
            "answer",
            "behind the frontend leg: API server",
            "behind bridge: cloud",
            "behind runtime",
        ],
        ["", "status mode", "processing         mode/requested/cohort", "the same", "the same"],
    ];
    let widths = [MESSAGE_WIDTH, ANSWER_WIDTH, FIRST_WIDTH, LATER_WIDTH, LATER_WIDTH];
    let lines = lines.map(|cells| {
        let cells: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| fitted(cell, width)).collect();
        format!("   {}", cells.join("  ").trim_end())
    });
    lines.join("\n")
}

/// What one origin saw of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The contract member of the body as JSON; `None` where there is none.
    pub processing: Option<String>,
    /// `x-processing-mode`.
    pub mode: Option<String>,
    /// `x-processing-requested`.
    pub requested: Option<String>,
    /// `x-processing-cohort`.
    pub cohort: Option<String>,
}

impl Seen {
    /// What is in a recorded request.
    pub fn of(recorded: &Recorded) -> Seen {
        let body: serde_json::Value = serde_json::from_slice(&recorded.body).unwrap_or_default();
        let params = body.get("params").unwrap_or(&body);
        let tag = |name| header(&recorded.headers, name).map(str::to_owned);
        Seen {
            processing: params.get("processing").map(ToString::to_string),
            mode: tag("x-processing-mode"),
            requested: tag("x-processing-requested"),
            cohort: tag("x-processing-cohort"),
        }
    }

    /// What is to be expected.
    pub fn expected(processing: Option<&str>, mode: &str, requested: &str, cohort: &str) -> Seen {
        Seen {
            processing: processing.map(str::to_owned),
            mode: Some(mode.to_owned()),
            requested: Some(requested.to_owned()),
            cohort: Some(cohort.to_owned()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = [&self.mode, &self.requested, &self.cohort];
        let [mode, requested, cohort] = tags.map(|tag| tag.as_deref().unwrap_or("-"));
        let processing = self.processing.as_deref().unwrap_or("-");
        write!(f, "{processing} {mode}/{requested}/{cohort}")
    }
}

/// What became of a message: what the client was answered, and what each origin saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's `x-processing-mode`; not looked at where the message is refused.
    pub mode: Option<String>,
    /// Whether the answer carries the runtime's reply to this message.
    pub echoed: bool,
    /// What the origins saw, in the order of the chain; `None` where it did not come.
    pub seen: [Option<Seen>; 3],
}

impl Outcome {
    /// The message goes through the chain and is answered.
    pub fn answered(mode: &str, seen: [Seen; 3]) -> Outcome {
        let mode = Some(mode.to_owned());
        Outcome { status: StatusCode::OK, mode, echoed: true, seen: seen.map(Some) }
    }

    /// The message is refused on the frontend leg.
    pub fn refused() -> Outcome {
        let status = StatusCode::BAD_REQUEST;
        Outcome { status, mode: None, echoed: false, seen: [None, None, None] }
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    kind: MessageKind,
    outcome: Outcome,
}

impl Row {
    /// A row of what was answered and seen.
    pub fn new(kind: MessageKind, answer: &Answer, echoed: bool, seen: [Option<Seen>; 3]) -> Row {
        let mode = answer.header("x-processing-mode").map(str::to_owned);
        Row { kind, outcome: Outcome { status: answer.status, mode, echoed, seen } }
    }

    /// What an origin saw.
    pub fn seen_by(&self, hop: Hop) -> Option<&Seen> {
        self.outcome.seen.iter().zip(Hop::ALL).find(|(_, of)| *of == hop)?.0.as_ref()
    }

    /// The first thing that is not as expected.
    pub fn difference(&self, expected: &Outcome) -> Option<String> {
        let Outcome { status, mode, echoed, seen } = &self.outcome;
        if status != &expected.status {
            return Some(format!("answered {status}, expected {}", expected.status));
        }
        if expected.mode.is_some() && mode != &expected.mode {
            let shown = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "absent".to_owned());
            let (mode, expected) = (shown(mode), shown(&expected.mode));
            return Some(format!("x-processing-mode of the answer is {mode}, expected {expected}"));
        }
        let names = ["the API server", "the cloud proxy", "the runtime"];
        for ((seen, expected), name) in seen.iter().zip(&expected.seen).zip(names) {
            if seen != expected {
                let shown = |seen: &Option<Seen>| {
                    seen.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                let (seen, expected) = (shown(seen), shown(expected));
                return Some(format!("{name} saw {seen}, expected {expected}"));
            }
        }
        (*echoed != expected.echoed).then(|| "the answer is not the runtime's reply".to_owned())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { status, mode, seen: [api, cloud, runtime], .. } = &self.outcome;
        let answer = format!("{} {}", status.as_u16(), mode.as_deref().unwrap_or("-"));
        let first = match api {
            Some(seen) => {
                let shown = seen.to_string();
                let (processing, tags) = shown.rsplit_once(' ').unwrap_or(("-", &shown));
                format!("{} {tags}", fitted(processing, PROCESSING_WIDTH))
            }
            None => "not reached".to_owned(),
        };
        let later = |seen: &Option<Seen>| {
            let shown = seen.as_ref().map_or_else(|| "not reached".to_owned(), ToString::to_string);
            fitted(&shown, LATER_WIDTH)
        };
        let row = format!(
            "{}  {}  {}  {}  {}",
            fitted(self.kind.word(), MESSAGE_WIDTH),
            fitted(&answer, ANSWER_WIDTH),
            fitted(&first, FIRST_WIDTH),
            later(cloud),
            later(runtime),
        );
        f.write_str(row.trim_end())
    }
}

/// A text in exactly this many columns.
fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:<width$}");
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
