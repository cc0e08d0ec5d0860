//! The walk: what an operator does to roll fast mode out and back, over HTTP only, with a table
//! of what each message looked like behind each leg. It stops at the first row that is not as
//! the decision table says.

mod operator;
mod parity;
mod row;
mod step;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};

use self::operator::Operator;
pub use self::parity::parity;
use self::row::{Row, Seen, heading};
use self::step::{MessageKind, Step};
use super::call::{Answer, Base, CallError};
use super::identity::random_uuid;
use super::js_text::JsText;
use super::origins::{Hop, Origins};

/// The most time that one call may take.
const CALL: Duration = Duration::from_secs(20);
/// Conversations that are made before the search for one of each cohort is given up: at 50 %,
/// that happens once in 2^63 walks.
const CONVERSATIONS: usize = 64;
/// What ends the real entrypoint.
const MALFORMED: &str = "{bad";

/// A modegate that runs in front of the origins, with `canary.percent` at 50 and no flag on.
#[derive(Clone, Debug)]
pub struct Sidecar {
    /// Its frontend leg.
    pub frontend: SocketAddr,
    /// Its runtime leg.
    pub runtime_leg: SocketAddr,
    /// Its admin listener.
    pub admin: SocketAddr,
    /// The admin token.
    pub token: String,
}

/// Why the walk ended early.
#[derive(Debug)]
pub enum WalkError {
    /// The table could not be written.
    Write(io::Error),
    /// A call had no answer.
    Call {
        /// What was called.
        what: String,
        /// What went wrong.
        error: CallError,
    },
    /// The operator's own call was refused.
    Refused {
        /// What was called.
        what: String,
        /// The answer's status.
        status: StatusCode,
        /// The answer's body.
        body: String,
    },
    /// No conversation of each cohort was found.
    NoCohorts {
        /// The cohorts that the API server saw, without repetition.
        seen: Vec<String>,
    },
    /// A row is not as the decision table says.
    Row {
        /// The step.
        step: &'static str,
        /// The message.
        message: &'static str,
        /// What differs.
        difference: String,
    },
    /// The bridge leg's verdicts are not what they should be.
    Parity {
        /// What is done about mismatches.
        enforcement: &'static str,
        /// What was to be expected, and what was found.
        verdicts: [String; 2],
    },
    /// A malformed body was not kept from the runtime.
    Unshielded(String),
}

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WalkError::Write(error) => write!(f, "the table cannot be written: {error}"),
            WalkError::Call { what, error } => write!(f, "{what}: {error}"),
            WalkError::Refused { what, status, body } => write!(f, "{what}: {status} {body}"),
            WalkError::NoCohorts { seen } => write!(
                f,
                "{CONVERSATIONS} conversations were not in both cohorts; x-processing-cohort was: {}",
                seen.join(", "),
            ),
            WalkError::Row { step, message, difference } => {
                write!(f, "step \"{step}\", message \"{message}\": {difference}")
            }
            WalkError::Parity { enforcement, verdicts: [expected, found] } => {
                write!(f, "parity, {enforcement}: expected {expected}, found {found}")
            }
            WalkError::Unshielded(what) => write!(f, "a malformed body on the runtime leg: {what}"),
        }
    }
}

impl std::error::Error for WalkError {}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> WalkError {
        WalkError::Write(error)
    }
}

/// Walks through the rollout and writes the table. The flags that it set are taken back at the
/// end, also where it fails.
pub async fn walk(
    sidecar: &Sidecar,
    origins: &Origins,
    out: &mut dyn Write,
) -> Result<(), WalkError> {
    let mut walker = Walker::new(sidecar, origins);
    let walked = walker.run(out).await;
    let cleared = walker.operator.clear().await;
    walked.and(cleared)
}

struct Walker<'a> {
    operator: Operator,
    frontend: Base,
    runtime_leg: Base,
    origins: &'a Origins,
    mark: String,
    messages: usize,
}

/// One conversation of each cohort, by id.
struct Rooms {
    canary: String,
    control: String,
}

impl<'a> Walker<'a> {
    fn new(sidecar: &Sidecar, origins: &'a Origins) -> Walker<'a> {
        Walker {
            operator: Operator::new(sidecar),
            frontend: Base::new(&sidecar.frontend.to_string()),
            runtime_leg: Base::new(&sidecar.runtime_leg.to_string()),
            origins,
            mark: random_uuid(),
            messages: 0,
        }
    }

    async fn run(&mut self, out: &mut dyn Write) -> Result<(), WalkError> {
        let rooms = self.one_of_each_cohort().await?;
        writeln!(out, "{}", heading())?;
        for (number, step) in (1..).zip(Step::ALL) {
            for (flag, value) in step.changes() {
                self.operator.set(flag, *value, step.word()).await?;
            }
            writeln!(out, "{number}  -- {} --", step.title())?;
            for kind in step.messages() {
                let row = self.message(step, *kind, &rooms).await?;
                writeln!(out, "{number}  {row}")?;
                if let Some(difference) = row.difference(&step.expected(*kind)) {
                    let (step, message) = (step.word(), kind.word());
                    return Err(WalkError::Row { step, message, difference });
                }
            }
        }
        writeln!(
            out,
            "\nThe API server is unmodified and drops `processing`: nothing of it reaches the bridge \
             leg,\nwhatever the frontend leg let through."
        )?;
        self.malformed(out).await
    }

    /// Makes conversations until there is one of each cohort, by the tag on a message of each.
    async fn one_of_each_cohort(&mut self) -> Result<Rooms, WalkError> {
        let (mut canary, mut control, mut seen) = (None, None, Vec::new());
        for _ in 0..CONVERSATIONS {
            let id = self.operator.new_conversation(&self.frontend).await?;
            let row = self.send(MessageKind::Plain, &id).await?;
            let cohort = row.seen_by(Hop::Api).and_then(|seen| seen.cohort.clone());
            match cohort.as_deref() {
                Some("canary") => canary = Some(id),
                Some("control") => control = Some(id),
                _ => {}
            }
            let cohort = cohort.unwrap_or_else(|| "absent".to_owned());
            if !seen.contains(&cohort) {
                seen.push(cohort);
            }
            if let (Some(canary), Some(control)) = (&canary, &control) {
                return Ok(Rooms { canary: canary.clone(), control: control.clone() });
            }
        }
        Err(WalkError::NoCohorts { seen })
    }

    async fn message(
        &mut self,
        step: Step,
        kind: MessageKind,
        rooms: &Rooms,
    ) -> Result<Row, WalkError> {
        let room = match kind {
            MessageKind::FastControl => &rooms.control,
            _ => &rooms.canary,
        };
        let row = self.send(kind, room).await;
        row.map_err(|error| match error {
            WalkError::Call { what, error } => {
                WalkError::Call { what: format!("step \"{}\": {what}", step.word()), error }
            }
            other => other,
        })
    }

    /// Sends a message and looks for it behind every leg, by its text.
    async fn send(&mut self, kind: MessageKind, conversation: &str) -> Result<Row, WalkError> {
        self.messages += 1;
        let text = format!("message {} of walk {}", self.messages, self.mark);
        let (target, body) = kind.request(conversation, &text);
        let answer = call(&self.frontend, Method::POST, &target, &body).await?;
        let seen = Hop::ALL.map(|hop| {
            let recorded = self.origins.recorded(hop);
            let carries = |body: &Bytes| String::from_utf8_lossy(body).contains(&text);
            recorded.iter().rev().find(|recorded| carries(&recorded.body)).map(Seen::of)
        });
        let echoed = answer.text().contains(&format!("[echo] {text}"));
        Ok(Row::new(kind, &answer, echoed, seen))
    }

    /// Shows that a malformed body is answered by modegate, and that the entrypoint lives on.
    async fn malformed(&self, out: &mut dyn Write) -> Result<(), WalkError> {
        let answer = call(&self.runtime_leg, Method::POST, "/bridge", MALFORMED).await?;
        writeln!(
            out,
            "\nPOST /bridge {MALFORMED} to the runtime leg: {} {}",
            answer.status,
            answer.text()
        )?;
        let reply: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        let unshielded = |what: &str| Err(WalkError::Unshielded(what.to_owned()));
        if !reply.is_some_and(|reply| reply["jsonrpc"] == "2.0" && reply["error"]["code"].is_i64())
        {
            return unshielded("the answer is no JSON-RPC error");
        }
        let recorded = self.origins.recorded(Hop::Runtime);
        if recorded.iter().any(|recorded| recorded.body == MALFORMED) {
            return unshielded("the entrypoint received it");
        }
        let entrypoint = Base::new(&self.origins.runtime.to_string());
        let health = call(&entrypoint, Method::GET, "/health", "").await?;
        if !self.origins.alive(Hop::Runtime) || health.status != StatusCode::OK {
            return unshielded("the entrypoint is not alive");
        }
        writeln!(
            out,
            "The entrypoint, which such a body would have ended, saw nothing and is alive."
        )?;
        Ok(())
    }
}

async fn call(base: &Base, method: Method, target: &str, body: &str) -> Result<Answer, WalkError> {
    let what = format!("{method} {}{target}", base.url());
    let failed = |error| WalkError::Call { what: what.clone(), error };
    let own = [("content-type", "application/json")];
    let body = Bytes::from(body.to_owned());
    let response = base.fetch(method.clone(), target, &own, body, CALL).await.map_err(failed)?;
    Answer::read(response, CALL).await.map_err(failed)
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    JsText::from(text).quoted()
}
