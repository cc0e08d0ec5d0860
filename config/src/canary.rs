//! `[canary]` and `[parity]`: who is in the canary cohort, and how legs are compared. The hash
//! and the cohort are decided in `modegate_filters::bucket`.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderName;
use modegate_filters::bucket::{Canary, KEY_LIMIT, KeySource, Share};
use toml::de::DeValue;

use crate::read::Section;
use crate::rule::{Rule, boolean, integer, plain, shown, word};
use crate::value::{DAY, GIB, MIB, MILLISECOND, duration, size};

/// Names the first rollout; the next one takes another salt and so draws other members.
const DEFAULT_SALT: &str = "fast-mode/2026-12";
/// A conversation stays in one cohort for as long as it lasts.
const DEFAULT_KEY: KeySource = KeySource::Room;
/// The API forwards a message to the cloud well within it.
const DEFAULT_WINDOW: Duration = Duration::from_secs(30);
/// A sidecar has its API server for itself.
const DEFAULT_EXCLUSIVE: bool = true;
/// Half a minute of two thousand messages a second.
const DEFAULT_RECORDS: usize = 65_536;
/// Enough for that many, with rooms as long as they usually are.
const DEFAULT_MEMORY: usize = 96 * MIB;
/// A wrong mode is better refused than silently served.
const DEFAULT_ON_MISMATCH: OnMismatch = OnMismatch::Reject;

/// The longest salt, in bytes.
const SALT_LIMIT: usize = 256;

/// `[parity]`: how the bridge leg is compared with the frontend leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parity {
    /// How long a message of the frontend leg waits for its bridge request; 30 s.
    pub window: Duration,
    /// Whether the bridge requests of this process are those of the messages that it let through,
    /// all of them and no others; true. Where they are not, a message is never told by its text alone.
    pub exclusive: bool,
    /// What a mismatch does while `cloud_enforced` is on; reject.
    pub on_mismatch: OnMismatch,
    /// How many records of what a leg let through are held, for each of the two legs; 65536. In
    /// force until the process ends.
    pub records: usize,
    /// How many bytes those records may take, for each of the two legs; 96 MiB. In force until the
    /// process ends.
    pub memory: usize,
}

/// What a parity mismatch does while `cloud_enforced` is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMismatch {
    /// The request is refused with an error that names the fault.
    Reject,
    /// What the frontend leg recorded is put back.
    Repair,
}

/// Reads `[canary]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> Canary {
    root.section("canary", |section| Canary {
        salt: section.take("salt", DEFAULT_SALT.to_owned(), plain(SALT_LIMIT)),
        share: section.take("percent", Share::NONE, percent()),
        keys: keys(section),
        allow: section.list("allow", key()).map(BTreeSet::from_iter).unwrap_or_default(),
        deny: section.list("deny", key()).map(BTreeSet::from_iter).unwrap_or_default(),
    })
}

/// Reads `[parity]`.
pub(crate) fn read_parity(root: &mut Section<'_, '_>) -> Parity {
    root.section("parity", |section| Parity {
        window: section.take("window", DEFAULT_WINDOW, duration(MILLISECOND..=DAY)),
        exclusive: section.take("exclusive", DEFAULT_EXCLUSIVE, boolean()),
        on_mismatch: section.take(
            "on_mismatch",
            DEFAULT_ON_MISMATCH,
            word([("reject", OnMismatch::Reject), ("repair", OnMismatch::Repair)]),
        ),
        records: section.take("records", DEFAULT_RECORDS, integer(1024..=4_194_304)),
        memory: section.take("memory", DEFAULT_MEMORY, size(MIB..=GIB)),
    })
}

/// What a share may be.
pub(crate) const PERCENT: &str = "a number from 0 to 100 in steps of 0.0001";

/// The share of a percentage that it is exactly; one that rounding would change is refused: 0.00001
/// must not become nobody.
pub(crate) fn exact_share(percent: f64) -> Option<Share> {
    let within = (0.0..=100.0).contains(&percent).then_some(percent)?;
    Share::from_percent(within).filter(|share| (share.percent() - percent).abs() < 1e-9)
}

pub(crate) fn percent() -> Rule<Share> {
    Rule::new(PERCENT, |value| {
        let number = match value {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => {
                u8::from_str_radix(integer.as_str(), integer.radix()).ok().map(f64::from)
            }
            _ => None,
        };
        number.and_then(exact_share).ok_or_else(|| shown(value))
    })
}

fn keys(section: &mut Section<'_, '_>) -> Vec<KeySource> {
    let keys = section.list("key", key_source()).unwrap_or_else(|| vec![DEFAULT_KEY]);
    if keys.is_empty() && section.sound("key") {
        section.refuse(
            "key",
            "an empty list",
            format!("at least one, each {}", key_source().allowed),
        );
    }
    keys
}

fn key_source() -> Rule<KeySource> {
    Rule::text("\"room\" or \"header:<name of a request header>\"", |text| {
        if text == "room" {
            return Some(KeySource::Room);
        }
        let name = text.strip_prefix("header:")?;
        HeaderName::from_bytes(name.as_bytes()).ok().map(KeySource::Header)
    })
}

/// A key of the allow and deny lists: rooms are not repeated in reports.
fn key() -> Rule<String> {
    Rule::discreet(format!("a key of 1 to {KEY_LIMIT} bytes"), |text| {
        (1..=KEY_LIMIT).contains(&text.len()).then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents() {
        let cases = [
            ("0", Some(0.0)),
            ("0.0", Some(0.0)),
            ("-0.0", Some(0.0)),
            ("5", Some(5.0)),
            ("0x10", Some(16.0)),
            ("12.5", Some(12.5)),
            ("0.0001", Some(0.0001)),
            ("99.9999", Some(99.9999)),
            ("1e1", Some(10.0)),
            ("100", Some(100.0)),
            ("100.0", Some(100.0)),
            ("0.00001", None),
            ("33.33333", None),
            ("99.99999", None),
            ("100.0001", None),
            ("101", None),
            ("-1", None),
            ("-0.0001", None),
            ("nan", None),
            ("inf", None),
            ("\"5\"", None),
            ("\"5%\"", None),
            ("true", None),
            ("99999999999999999999", None),
        ];
        for (written, expected) in cases {
            let text = format!("percent = {written}");
            let table = toml::de::DeTable::parse(&text).unwrap().into_inner();
            let share = percent().read(table.get("percent").unwrap().get_ref()).ok();
            assert_eq!(share.map(Share::percent), expected, "{written}");
        }
    }
}
