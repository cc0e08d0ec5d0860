//! An incident: what fired, how severe it is, what is done about it, and what is written down.

use serde::{Deserialize, Serialize};

use super::attribution::Attribution;
use super::gates::GateReport;
use super::observe::{Breaker, Exemplar, HOPS, Hop};
use super::plan::{Gate, Millis};
use super::state::Desired;

/// So many exemplars are kept.
const EXEMPLARS: usize = 10;
/// So many entries a timeline has at most.
const TIMELINE: usize = 200;

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Another room's request or answer.
    Contamination,
    /// Mode or room did not survive a hop.
    #[serde(rename = "mode_mismatch")]
    Mismatch,
    /// The upstream says that it applied another mode than the one that left: cloud and local differ.
    #[serde(rename = "parity_divergence")]
    Divergence,
    /// The canary errs more often than the control.
    Errors,
    /// The canary's first event comes later than the control's.
    #[serde(rename = "latency_regression")]
    Latency,
    /// The canary's slow tail is heavier.
    #[serde(rename = "tail_latency")]
    Tail,
    /// The canary's answers are worse.
    Quality,
    /// Somebody says that an answer was severely wrong.
    Severe,
    /// Nothing is seen.
    Blind,
    /// A human said so.
    Operator,
    /// The kill file is there.
    KillFile,
}

/// How bad it is: 1 is the worst.
pub type Severity = u8;

impl Trigger {
    /// The word that reports and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Trigger::Contamination => "contamination",
            Trigger::Mismatch => "mode_mismatch",
            Trigger::Divergence => "parity_divergence",
            Trigger::Errors => "errors",
            Trigger::Latency => "latency_regression",
            Trigger::Tail => "tail_latency",
            Trigger::Quality => "quality",
            Trigger::Severe => "severe",
            Trigger::Blind => "blind",
            Trigger::Operator => "operator",
            Trigger::KillFile => "kill_file",
        }
    }

    /// How severe it is.
    pub fn severity(self) -> Severity {
        match self {
            Trigger::Contamination | Trigger::Mismatch | Trigger::Severe | Trigger::KillFile => 1,
            Trigger::Divergence
            | Trigger::Errors
            | Trigger::Latency
            | Trigger::Tail
            | Trigger::Quality => 2,
            Trigger::Blind | Trigger::Operator => 3,
        }
    }

    /// Whether everything is removed everywhere at once, or fast mode only.
    pub fn is_hard(self) -> bool {
        self == Trigger::KillFile
    }

    /// What a failed gate fires; the data gate never fails.
    pub fn of_gate(gate: Gate) -> Option<Trigger> {
        match gate {
            Gate::Parity => Some(Trigger::Mismatch),
            Gate::Errors => Some(Trigger::Errors),
            Gate::Latency => Some(Trigger::Latency),
            Gate::Tail => Some(Trigger::Tail),
            Gate::Quality => Some(Trigger::Quality),
            Gate::Data => None,
        }
    }

    /// What an open breaker fires.
    pub fn of_breaker(breaker: Breaker) -> Trigger {
        match breaker {
            Breaker::Contamination => Trigger::Contamination,
            Breaker::Mismatch => Trigger::Mismatch,
            Breaker::Errors => Trigger::Errors,
        }
    }
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: Millis,
    /// What happened.
    pub what: String,
}

/// An incident, as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its time and its trigger.
    pub id: String,
    /// The rollout.
    pub rollout: String,
    /// The stage's name.
    pub stage: String,
    /// What fired first.
    pub trigger: Trigger,
    /// How severe it is.
    pub severity: Severity,
    /// Why it fired, in numbers.
    pub why: String,
    /// When.
    pub opened: Millis,
    /// What the document said before, and what it was made to say.
    pub before: Desired,
    /// See `before`.
    pub after: Desired,
    /// The gates at the decision.
    pub gates: Vec<GateReport>,
    /// What each leg saw in the look that fired.
    pub hops: [Hop; HOPS],
    /// Where it goes wrong.
    pub attribution: Attribution,
    /// Requests that show it.
    pub exemplars: Vec<Exemplar>,
    /// What happened since.
    pub timeline: Vec<Moment>,
    /// When exposure was seen to be zero everywhere.
    pub safe: Option<Millis>,
    /// What was seen then.
    pub proof: Option<Proof>,
}

/// What was seen once every instance had the flags of a rollback: nothing left in fast mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Looks in a row.
    pub looks: u32,
    /// Messages of the frontend legs that ended meanwhile.
    pub messages: u64,
    /// Of them 5xx, unavailable or cut.
    pub errors: u64,
}

/// Requests that show an incident, which were asked for once it had opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The incident's id.
    pub incident: String,
    /// Newest last.
    pub exemplars: Vec<Exemplar>,
}

impl Incident {
    /// Adds to the timeline, which is bounded.
    pub fn note(&mut self, at: Millis, what: impl Into<String>) {
        if self.timeline.len() < TIMELINE {
            self.timeline.push(Moment { at, what: what.into() });
        }
    }

    /// Keeps the first requests that show it.
    pub fn show(&mut self, exemplars: &[Exemplar]) {
        let room = EXEMPLARS.saturating_sub(self.exemplars.len());
        self.exemplars.extend(exemplars.iter().take(room).cloned());
    }
}
