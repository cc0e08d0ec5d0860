//! The admin's layer: values that end by themselves, each with who set it and why.

use std::time::{Duration, SystemTime};

use modegate_config::flags::{Broken, Flag, FlagLayer};
use modegate_config::shown_duration;

/// The longest actor or reason, in characters.
const TEXT_LIMIT: usize = 256;

/// So much of what was found is said, in characters.
const SHOWN: usize = 64;

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
    /// The expiry is no duration, zero, or over `admin.override_limit`.
    Expiry {
        /// What was said.
        found: String,
        /// `admin.override_limit`.
        limit: Duration,
    },
    /// The flags would break a rule among themselves.
    Broken(Broken),
    /// There is no override of this: a flag, or the log level.
    NotOverridden(&'static str),
    /// The breaker is not open.
    NotOpen,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Unexplained => {
                write!(
                    f,
                    "actor and reason are needed, each of 1 to {TEXT_LIMIT} characters without control characters"
                )
            }
            Refusal::Expiry { found, limit } => {
                write!(f, "{} (admin.override_limit)", expiry_between(found, *limit))
            }
            Refusal::Broken(broken) => write!(f, "{broken}"),
            Refusal::NotOverridden(what) => write!(f, "{what} has no override"),
            Refusal::NotOpen => write!(f, "the breaker is not open"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What an expiry was found to be, and what it may be.
pub fn expiry_between(found: &str, limit: Duration) -> String {
    let (found, limit) = (shortened(found), shown_duration(limit));
    format!("expires: found: {found:?}; allowed: a duration with its unit, 1ms to {limit}")
}

/// So much of a text as is needed to know it again.
pub fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Whether somebody stands for a change, and how long it lasts is within the limit: what every
/// change by hand needs.
///
/// # Errors
/// [`Refusal::Unexplained`] and [`Refusal::Expiry`].
pub fn vouched(
    (actor, reason): (&str, &str),
    lasts: Option<(Duration, Duration)>,
) -> Result<(), Refusal> {
    if !explained(actor) || !explained(reason) {
        return Err(Refusal::Unexplained);
    }
    match lasts {
        Some((lasts, limit)) if lasts.is_zero() || lasts > limit => {
            Err(Refusal::Expiry { found: shown_duration(lasts), limit })
        }
        _ => Ok(()),
    }
}

/// Whether an actor or a reason says something, within bounds, in one plain line.
fn explained(text: &str) -> bool {
    let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    plain && text.chars().count() <= TEXT_LIMIT
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn until(seconds: u64) -> Override {
        let expires = UNIX_EPOCH + Duration::from_secs(seconds);
        Override { value: true, actor: "ann".to_owned(), reason: "a test".to_owned(), expires }
    }

    #[test]
    fn actors_and_reasons_say_something_within_bounds() {
        let (most, over) = ("ü".repeat(256), "ü".repeat(257));
        let cases = [
            ("a", true),
            (" a ", true),
            (&most, true),
            (&over, false),
            ("", false),
            (" ", false),
            ("\n\t", false),
        ];
        for (text, good) in cases {
            assert_eq!(explained(text), good, "{text:?}");
        }
    }

    #[test]
    fn what_has_expired_ends_and_nothing_else() {
        let mut overrides = Overrides::default();
        assert_eq!(overrides.next_expiry(), None);
        for (flag, seconds) in [(Flag::Contract, 30), (Flag::Runtime, 10), (Flag::Kill, 20)] {
            overrides.set(flag, Some(until(seconds)));
        }
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let steps: [(u64, &[Flag], Option<u64>); 4] = [
            (9, &[], Some(10)),
            (10, &[Flag::Runtime], Some(20)),
            (25, &[Flag::Kill], Some(30)),
            (31, &[Flag::Contract], None),
        ];
        for (now, ended, next) in steps {
            assert_eq!(overrides.expire(at(now)), ended, "at {now}");
            assert_eq!(overrides.next_expiry(), next.map(at), "after {now}");
        }
        assert!(overrides.layer().is_empty());
    }

    #[test]
    fn refusals_say_what_is_allowed() {
        let cases = [
            (
                Refusal::Unexplained,
                "actor and reason are needed, each of 1 to 256 characters without control characters",
            ),
            (
                Refusal::Expiry { found: "9h".to_owned(), limit: Duration::from_secs(14_400) },
                "expires: found: \"9h\"; allowed: a duration with its unit, 1ms to 4h \
                 (admin.override_limit)",
            ),
            (
                Refusal::Expiry { found: "x".repeat(65), limit: Duration::from_millis(1_500) },
                &format!(
                    "expires: found: \"{}…\"; allowed: a duration with its unit, 1ms to 1500ms \
                     (admin.override_limit)",
                    "x".repeat(64)
                ),
            ),
            (Refusal::NotOverridden("cloud_enforced"), "cloud_enforced has no override"),
        ];
        for (refusal, text) in cases {
            assert_eq!(refusal.to_string(), text);
        }
    }
}
