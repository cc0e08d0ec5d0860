//! Where a rollout is: everything that the next decision needs, and nothing that is not written
//! down.

use serde::{Deserialize, Serialize};

use super::plan::Millis;
use crate::bucket::Share;
use crate::decide::Flags;

/// The version of the state's form; another one is not read.
pub const VERSION: u32 = 1;

/// What the machine is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started.
    Draft,
    /// The stage's flags are on their way to every instance.
    Applying,
    /// What began under the flags before is ending.
    Settling,
    /// Its gates are looked at.
    Observing,
    /// They passed; a human must say so too.
    AwaitingApproval,
    /// A human is needed; gates go on.
    Held,
    /// Exposure is on its way to zero.
    RollingBack,
    /// It is there, and was seen to be.
    RolledBack,
    /// Rolling back could not be confirmed, not even hard.
    Failed,
    /// The last stage passed.
    Done,
}

impl Phase {
    /// Every phase, in the order of the metrics' labels.
    pub const ALL: [Phase; 10] = [
        Phase::Draft,
        Phase::Applying,
        Phase::Settling,
        Phase::Observing,
        Phase::AwaitingApproval,
        Phase::Held,
        Phase::RollingBack,
        Phase::RolledBack,
        Phase::Failed,
        Phase::Done,
    ];

    /// The word that commands and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Draft => "draft",
            Phase::Applying => "applying",
            Phase::Settling => "settling",
            Phase::Observing => "observing",
            Phase::AwaitingApproval => "awaiting_approval",
            Phase::Held => "held",
            Phase::RollingBack => "rolling_back",
            Phase::RolledBack => "rolled_back",
            Phase::Failed => "failed",
            Phase::Done => "done",
        }
    }
}

/// What the flags document is to say. The controller writes it until it says so; the sidecars take
/// it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Counts the documents of a deployment, from 1; never goes back.
    pub generation: u64,
    /// The flags; with `kill` in a hard rollback.
    pub flags: Flags,
    /// The share of keys in the canary cohort.
    pub share: Share,
    /// When sidecars fall to a share of zero by themselves; `None` for never.
    pub lease_until: Option<Millis>,
}
