//! The machine: where a rollout is, what was seen and ordered, and what follows. It reads no clock
//! and keeps nothing beside [`State`], so that the same inputs give the same decisions.
//!
//! The order within one step: look, obey, protect, go on. What protects comes after what is ordered,
//! so that no order keeps exposure where something failed.

mod outside;
mod protect;
mod turn;

use serde::{Deserialize, Serialize};

use super::gates::GateReport;
use super::incident::{Incident, Shown};
use super::observe::{Observations, Signal, severe};
use super::plan::{Millis, Plan};
use super::state::{Desired, State};
use turn::Turn;

/// What an operator may order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Verb {
    /// Begin; after a rollback and its cool-down, begin again from the stage before.
    Start,
    /// Stay at this stage.
    Hold,
    /// Go on from where it is held.
    Resume,
    /// Let a stage whose gates passed end.
    Approve,
    /// Let a stage end though gates are inconclusive.
    Advance,
    /// Take everybody out of fast mode.
    Rollback {
        /// And remove everything everywhere.
        hard: bool,
    },
    /// Give the rollout up: a soft rollback.
    Abort,
}

impl Verb {
    /// The word that commands and notes use.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Hold => "hold",
            Verb::Resume => "resume",
            Verb::Approve => "approve",
            Verb::Advance => "advance",
            Verb::Rollback { hard: false } => "soft rollback",
            Verb::Rollback { hard: true } => "hard rollback",
            Verb::Abort => "abort",
        }
    }
}

/// An order, with who gave it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What.
    #[serde(flatten)]
    pub verb: Verb,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// One step's input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Now.
    pub at: Millis,
    /// What was seen since the look before; `None` in a step that only follows orders.
    pub look: Option<Observations>,
    /// What was ordered, in its order.
    pub commands: Vec<Command>,
    /// What the flags document says now; `None` where there is none, or it cannot be read.
    pub document: Option<Desired>,
    /// The kill file is there.
    pub kill_file: bool,
    /// Requests that show the incident that is open, where the look that fired had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// What was signalled since the step before, where no look has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
}

impl Input {
    /// What was signalled since the step before, with a look or without.
    pub fn heard(&self) -> impl Iterator<Item = &Signal> {
        let seen = self.look.iter().flat_map(|look| &look.signals);
        seen.chain(&self.signals)
    }

    /// What somebody says is severe, if anybody does.
    pub fn severe(&self) -> Option<&Signal> {
        severe(self.heard())
    }
}

/// What follows from one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Where the rollout is then.
    pub state: State,
    /// What the gates say, where they were looked at.
    pub gates: Vec<GateReport>,
    /// What happened, in words.
    pub notes: Vec<String>,
    /// Orders that are out of place: which, and why.
    pub refused: Vec<(usize, String)>,
    /// The incident as it is to be written down now, where it opened or went on.
    pub incident: Option<Incident>,
}

/// Decides one step.
pub fn decide(plan: &Plan, state: &State, input: &Input) -> Decision {
    let mut turn = Turn::new(plan, state.clone(), input);
    turn.state.keep_time(input.at);
    turn.notice_plan();
    turn.notice_document();
    turn.hear();
    turn.look();
    turn.obey();
    turn.protect();
    turn.proceed();
    turn.keep_lease();
    turn.show();
    turn.finish()
}

#[cfg(test)]
mod tests;
