//! What one request sees: the flags, and the settings that a reload can change.

use std::sync::Arc;
use std::time::Duration;

use modegate_config::{Config, Limits, OnMismatch, Timeouts};
use modegate_filters::bucket::Share;
use modegate_filters::decide::Flags;
use modegate_filters::inspect::Policy;
use modegate_filters::rollout::observe::Breaker;

/// The settings that a reload can change.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How requests are judged.
    pub policy: Policy,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// How much of anything there may be.
    pub limits: Limits,
    /// How long what a leg let through waits for the next leg.
    pub window: Duration,
    /// Whether every bridge request is of a message that this process let through.
    pub is_exclusive: bool,
    /// What a mismatch does while `cloud_enforced` is on.
    pub on_mismatch: OnMismatch,
    /// What opens the breaker.
    pub breaker: Vec<Breaker>,
}

impl Settings {
    /// The settings of a configuration.
    pub fn new(config: &Config) -> Settings {
        Settings {
            policy: Policy::new(config.contract.clone(), config.canary.clone()),
            timeouts: config.timeouts.clone(),
            limits: config.limits.clone(),
            window: config.parity.window,
            is_exclusive: config.parity.exclusive,
            on_mismatch: config.parity.on_mismatch,
            breaker: config.breaker.clone(),
        }
    }

    /// These settings with another share of keys in the canary cohort.
    pub fn with_share(&self, share: Share) -> Settings {
        Settings { policy: self.policy.with_share(share), ..self.clone() }
    }
}

/// An immutable state of flags and settings.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts the snapshots of this process, from 1.
    pub generation: u64,
    /// The flags, folded over all layers.
    pub flags: Flags,
    /// The settings, the share among them folded over all layers too.
    pub settings: Arc<Settings>,
    /// Why the breaker is open, if it is.
    pub breaker: Option<Breaker>,
}
