//! The admin's layer: values that end by themselves, each with who set it and why.

use std::time::{Duration, SystemTime};

use modegate_config::flags::{Broken, Flag, FlagLayer};

/// The longest actor or reason, in characters.
const TEXT_LIMIT: usize = 256;

/// A flag set by hand, until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The value.
    pub value: bool,
    /// Who set it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires: SystemTime,
}

/// Why a change of a flag was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The actor or the reason is missing or too long.
    Unexplained,
    /// The expiry is zero, or over `admin.override_limit`.
    Expiry(Duration),
    /// The flags would break a rule among themselves.
    Broken(Broken),
    /// There is no override of this flag.
    NotOverridden(Flag),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Unexplained => {
                write!(f, "actor and reason are needed, each of 1 to {TEXT_LIMIT} characters")
            }
            Refusal::Expiry(limit) => {
                write!(f, "expires must be a duration of 1ms to {}s", limit.as_secs())
            }
            Refusal::Broken(broken) => write!(f, "{broken}"),
            Refusal::NotOverridden(flag) => write!(f, "{} has no override", flag.name()),
        }
    }
}

impl std::error::Error for Refusal {}

/// Whether an actor or a reason says something, within bounds.
pub(super) fn explained(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= TEXT_LIMIT
}

/// The overrides in force, by flag.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides([Option<Override>; Flag::ALL.len()]);

impl Overrides {
    pub(super) fn get(&self, flag: Flag) -> Option<&Override> {
        self.0.get(flag as usize)?.as_ref()
    }

    pub(super) fn set(&mut self, flag: Flag, value: Option<Override>) {
        if let Some(place) = self.0.get_mut(flag as usize) {
            *place = value;
        }
    }

    pub(super) fn layer(&self) -> FlagLayer {
        let mut layer = FlagLayer::default();
        for flag in Flag::ALL {
            if let Some(set) = self.get(flag) {
                layer.set(flag, set.value);
            }
        }
        layer
    }

    /// Ends what has expired; says which.
    pub(super) fn expire(&mut self, now: SystemTime) -> Vec<Flag> {
        let over = |set: &Override| set.expires <= now;
        let ended: Vec<Flag> =
            Flag::ALL.into_iter().filter(|flag| self.get(*flag).is_some_and(over)).collect();
        for flag in &ended {
            self.set(*flag, None);
        }
        ended
    }

    pub(super) fn next_expiry(&self) -> Option<SystemTime> {
        self.0.iter().flatten().map(|set| set.expires).min()
    }
}
