//! The plan: stages in order, each with its flags, its share, its gates and its times.

use serde::{Deserialize, Serialize};

use crate::bucket::Share;
use crate::decide::Flags;
use crate::hex::sha256;

/// A time or a duration in milliseconds; a time counts from the Unix epoch.
pub type Millis = u64;

/// A rollout: where it goes, and what must hold on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Names the rollout, in audit, incidents and metrics: `canary.salt` unless told otherwise.
    pub id: String,
    /// The stages, in order; at least one.
    pub stages: Vec<Stage>,
    /// What the gates go by.
    pub thresholds: Thresholds,
    /// How long the machine waits for what.
    pub timing: Timing,
    /// What is done while nothing can be seen of an exposed stage.
    pub blind: Blind,
}

impl Plan {
    /// Tells whether two plans are the same: SHA-256 over the JSON, whose order the types give.
    pub fn digest(&self) -> String {
        sha256(&serde_json::to_vec(self).unwrap_or_default())
    }
}

impl Plan {
    /// The stage that a place is at: past the last it is the last, which is what Done is at.
    pub fn place(&self, stage: usize) -> usize {
        stage.min(self.stages.len().saturating_sub(1))
    }
}

/// A step of the plan that the product was promised, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The core runtime can read the contract; nothing is sent.
    Core,
    /// Cloud runtime and bridge carry the contract.
    Cloud,
    /// The API server carries it.
    Api,
    /// Mode and room are seen to survive, before anybody is exposed.
    Observability,
    /// A growing share gets fast mode.
    Canary,
    /// Clients may show the toggle.
    Ui,
    /// Everybody.
    Expansion,
}

impl Step {
    /// Every step, in the order of the product's plan.
    pub const ALL: [Step; 7] = [
        Step::Core,
        Step::Cloud,
        Step::Api,
        Step::Observability,
        Step::Canary,
        Step::Ui,
        Step::Expansion,
    ];

    /// The name in configuration and commands.
    pub fn name(self) -> &'static str {
        match self {
            Step::Core => "core",
            Step::Cloud => "cloud",
            Step::Api => "api",
            Step::Observability => "observability",
            Step::Canary => "canary",
            Step::Ui => "ui",
            Step::Expansion => "expansion",
        }
    }
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name, unique in the plan.
    pub name: String,
    /// The step that it is part of.
    pub step: Step,
    /// The flags while it lasts; `kill` is never among them.
    pub flags: Flags,
    /// The share of keys in the canary cohort.
    pub share: Share,
    /// How long it lasts at least.
    pub min_dwell: Millis,
    /// How many eligible canary requests it sees at least.
    pub min_samples: u64,
    /// When it is held for a human, if its gates have not all passed.
    pub max_dwell: Millis,
    /// What must pass before the next stage.
    pub gates: Vec<Gate>,
    /// Who says that it may go on.
    pub approval: Approval,
}

impl Stage {
    /// Whether anybody gets fast mode in it by the share.
    pub fn is_exposed(&self) -> bool {
        self.flags.contract && self.flags.runtime && self.share > Share::NONE
    }
}

/// A question that must be answered yes before a stage ends well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// No mode or room was lost on the way, and enough of it was seen.
    Parity,
    /// The canary errs no more often than the control.
    Errors,
    /// The canary's first event comes sooner than the control's.
    Latency,
    /// The canary's slow tail is no heavier than the control's.
    Tail,
    /// Answers are as good: none empty, truncated or severe.
    Quality,
    /// The data can be believed; it never fails, it only withholds.
    Data,
}

impl Gate {
    /// Every gate, in the order of the documentation.
    pub const ALL: [Gate; 6] =
        [Gate::Parity, Gate::Errors, Gate::Latency, Gate::Tail, Gate::Quality, Gate::Data];

    /// The name in configuration, commands and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Parity => "parity",
            Gate::Errors => "errors",
            Gate::Latency => "latency",
            Gate::Tail => "tail",
            Gate::Quality => "quality",
            Gate::Data => "data",
        }
    }

    /// The gate with this name.
    pub fn from_name(name: &str) -> Option<Gate> {
        Gate::ALL.into_iter().find(|gate| gate.name() == name)
    }
}

/// Who says that a stage may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Its gates.
    Automatic,
    /// A human, once its gates have passed.
    Manual,
}

impl Approval {
    /// The name in configuration and commands.
    pub fn name(self) -> &'static str {
        match self {
            Approval::Automatic => "automatic",
            Approval::Manual => "manual",
        }
    }
}

/// What is done while nothing can be seen of an exposed stage for `timing.blind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    /// It is held as it is.
    Hold,
    /// It is rolled back softly.
    Rollback,
}

/// What the gates go by (rollout facts, section 2.4). Rates are shares of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// The chance that one gate passes at its margin; 0.05.
    pub alpha_pass: f64,
    /// The chance that a whole rollout is rolled back for nothing; 0.01, shared by all gates and stages.
    pub alpha_fail: f64,
    /// The mismatch rate that parity must rule out: n ≥ ln(20)/rate; 0.001.
    pub mismatch_rate: f64,
    /// The least coverage of parity; 0.95.
    pub coverage: f64,
    /// The rise of errors that passes, as a ratio less 1; 0.5.
    pub errors_margin: f64,
    /// The rise of errors that passes, in absolute terms; 0.005.
    pub errors_absolute: f64,
    /// The point ratio below which harm is not called; 1.25.
    pub errors_ratio: f64,
    /// The improvement of the first event that is asked for; 0.05.
    pub latency_gain: f64,
    /// The regression of the first event that rolls back; 0.05.
    pub latency_loss: f64,
    /// The samples at which latency is expected to be decided; 10,000.
    pub latency_samples: u64,
    /// The ratio of slow answers that passes; 1.4.
    pub tail_margin: f64,
    /// The ratio of faulty answers that passes; 1.5.
    pub quality_margin: f64,
    /// The least eligible canary requests of the statistical gates; 200.
    pub min_samples: u64,
    /// The eligible control requests that tell the base rates; 10,000.
    pub baseline: u64,
}

/// How long the machine waits for what, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Between two looks; 15 s.
    pub tick: Millis,
    /// Until every instance has the flags; 3 min, then held.
    pub apply: Millis,
    /// From the flags everywhere to the first look that counts; 30 s.
    pub settle: Millis,
    /// Without fresh data, with exposure: see [`Blind`]; 10 min.
    pub blind: Millis,
    /// Until every instance confirms a soft rollback, else it becomes hard; 2 min.
    pub confirm: Millis,
    /// After a rollback until it may start again; 30 min.
    pub cool_down: Millis,
    /// How long a document is good without renewal; 30 min. 0 for ever.
    pub lease: Millis,
}
