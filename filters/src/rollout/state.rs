//! Where a rollout is: everything that the next decision needs, and nothing that is not written
//! down.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::incident::{Incident, Trigger};
use super::observe::{Observations, Signal};
use super::plan::{Millis, Plan};
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

    /// Whether exposure was taken away, or is being.
    pub fn is_back(self) -> bool {
        matches!(self, Phase::RollingBack | Phase::RolledBack | Phase::Failed)
    }

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

impl Desired {
    /// Whether anybody may be served in another mode than the default.
    pub fn is_exposed(&self) -> bool {
        self.flags.contract && self.flags.runtime && !self.flags.kill
    }
}

/// Where a rollout is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`VERSION`].
    pub version: u32,
    /// The plan's id.
    pub rollout: String,
    /// The digest of the plan that is followed: see [`Plan::digest`].
    pub plan: String,
    /// What the machine is at.
    pub phase: Phase,
    /// The stage, from 0.
    pub stage: usize,
    /// Its name, once it was applied; empty past the last.
    pub stage_name: String,
    /// The newest moment that was seen.
    pub newest: Millis,
    /// When the phase began.
    pub entered: Millis,
    /// When the stage began.
    pub stage_entered: Millis,
    /// When the stage's gates were first looked at.
    pub observing_since: Option<Millis>,
    /// What the document is to say.
    pub desired: Desired,
    /// The generation that the last start asked for: what is older says nothing of it.
    pub started: u64,
    /// How many looks there were.
    pub looks: u64,
    /// The moment of the newest data.
    pub seen_at: Option<Millis>,
    /// What the stage's gates go by.
    pub evidence: Evidence,
    /// Why it is held.
    pub held: Option<Hold>,
    /// The rollback that goes on, or the last one.
    pub rollback: Option<Rollback>,
    /// Who signed the quality off, until when.
    pub attestation: Option<Signal>,
    /// What went wrong, until it is known to be over.
    pub incident: Option<Incident>,
}

impl State {
    /// A draft of a rollout whose document has this generation so far, 0 for none.
    pub fn new(plan: &Plan, generation: u64, now: Millis) -> State {
        let nothing =
            Desired { generation, flags: Flags::default(), share: Share::NONE, lease_until: None };
        State {
            version: VERSION,
            rollout: plan.id.clone(),
            plan: plan.digest(),
            phase: Phase::Draft,
            stage: 0,
            stage_name: String::new(),
            newest: now,
            entered: now,
            stage_entered: now,
            observing_since: None,
            desired: nothing,
            started: 0,
            looks: 0,
            seen_at: None,
            evidence: Evidence::default(),
            held: None,
            rollback: None,
            attestation: None,
            incident: None,
        }
    }

    /// Now. Where the clock was set back, every moment goes back with it: what has lasted stays
    /// lasted, and no deadline is put off.
    pub fn keep_time(&mut self, at: Millis) {
        let by = self.newest.saturating_sub(at);
        self.newest = at;
        if by == 0 {
            return;
        }
        let back = |moment: &mut Millis| *moment = moment.saturating_sub(by);
        [&mut self.entered, &mut self.stage_entered].into_iter().for_each(back);
        let sometimes =
            [&mut self.observing_since, &mut self.seen_at, &mut self.desired.lease_until];
        sometimes.into_iter().flatten().for_each(back);
        if let Some(rollback) = &mut self.rollback {
            let known = [&mut rollback.since, &mut rollback.ordered];
            known.into_iter().chain(&mut rollback.done).for_each(back);
        }
        if let Some(signal) = &mut self.attestation {
            signal.expires.iter_mut().for_each(back);
        }
        if let Some(incident) = &mut self.incident {
            std::iter::once(&mut incident.opened).chain(&mut incident.safe).for_each(back);
            incident.timeline.iter_mut().for_each(|moment| back(&mut moment.at));
        }
        self.evidence.set_back(by);
    }
}

/// Why a human is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Hold {
    /// Somebody said so.
    Ordered,
    /// The stage's time is over, and not all of its gates have passed.
    Inconclusive,
    /// These instances do not have the flags.
    Skew {
        /// Their names.
        laggards: Vec<String>,
    },
    /// Nothing fresh is seen.
    Blind,
    /// Somebody else wrote the flags document.
    ExternalChange,
    /// The plan is another one than the one that was followed.
    PlanChanged,
    /// A gate failed where nobody is exposed.
    Failed {
        /// What fired.
        trigger: Trigger,
    },
}

/// A rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Everything is removed everywhere.
    pub hard: bool,
    /// What fired.
    pub trigger: Trigger,
    /// When it began.
    pub since: Millis,
    /// When it was last made harder, or began.
    pub ordered: Millis,
    /// The stage that it left.
    pub stage: usize,
    /// Looks in a row, with every instance confirmed, that saw no request leave in fast mode.
    pub quiet: u32,
    /// Messages that ended in those looks, and critical errors among them.
    pub quiet_messages: [u64; 2],
    /// Looks after every instance had confirmed that still saw a mismatch or another room.
    pub noisy: u32,
    /// When it was over.
    pub done: Option<Millis>,
}

impl Rollback {
    /// Takes a look in that every instance has the flags of; one that shows what went wrong is not
    /// quiet.
    pub(super) fn see(&mut self, look: &Observations, shows: bool) {
        self.noisy += u32::from(shows);
        if look.fast_left > 0 || shows {
            (self.quiet, self.quiet_messages) = (0, [0; 2]);
            return;
        }
        self.quiet += 1;
        let [messages, errors] = &mut self.quiet_messages;
        for side in look.hops.iter().take(1).flat_map(|hop| [hop.canary, hop.control]) {
            *messages += side.requests;
            *errors += side.errors;
        }
    }
}
