//! Which cohort a key is in: a fixed rank per key, and a threshold that only ever adds members.
//!
//! The hash is Unleash's (`murmur3_x86_32`, seed 0, over `"{salt}:{key}"`), refined below one
//! percent without floating point; at whole percents it agrees with every Unleash SDK.

mod murmur;

use std::collections::BTreeSet;

use http::HeaderName;
use serde::{Deserialize, Serialize};

/// Ranks per percent: `ceil(2^32 / 100)`.
const PER_PERCENT: u64 = 42_949_673;
/// One more than the largest rank a key can have.
pub const RANKS: u64 = 100 * PER_PERCENT;
/// The longest key that is hashed, in bytes; a longer one counts as missing.
pub const KEY_LIMIT: usize = 256;

/// A share of all keys, in parts per million: 0 to 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Share(u32);

impl TryFrom<u32> for Share {
    type Error = &'static str;

    fn try_from(ppm: u32) -> Result<Share, &'static str> {
        let within = ppm <= 1_000_000;
        within.then_some(Share(ppm)).ok_or("a share is at most 1,000,000 parts per million")
    }
}

impl From<Share> for u32 {
    fn from(share: Share) -> u32 {
        share.0
    }
}

impl Share {
    /// Nobody.
    pub const NONE: Share = Share(0);

    /// A share from percent, to the ten-thousandth; `None` outside 0 to 100.
    pub fn from_percent(percent: f64) -> Option<Share> {
        let ppm = (percent * 10_000.0).round();
        // In range after the check, and not NaN: the conversion is exact.
        (0.0..=1_000_000.0).contains(&ppm).then_some(Share(ppm as u32))
    }

    /// The share in percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// The first rank that is not a member.
    pub fn threshold(self) -> u64 {
        u64::from(self.0) * RANKS / 1_000_000
    }
}

/// Where a bucket key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The conversation's own room; the shared rooms are no keys.
    Room,
    /// A request header.
    Header(HeaderName),
}

/// The settings of the canary.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// The rollout's identity: another salt draws other members.
    pub salt: String,
    /// How many keys are canary.
    pub share: Share,
    /// Where the key comes from: the first source that is present.
    pub keys: Vec<KeySource>,
    /// Keys that are always canary, unless denied.
    pub allow: BTreeSet<String>,
    /// Keys that are always control.
    pub deny: BTreeSet<String>,
}

/// A request's side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cohort {
    /// The fast mode may apply.
    Canary,
    /// It does not.
    Control,
}

impl Cohort {
    /// Both, in the order of the metrics' labels.
    pub const ALL: [Cohort; 2] = [Cohort::Canary, Cohort::Control];

    /// The word that tags, logs and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Cohort::Canary => "canary",
            Cohort::Control => "control",
        }
    }
}

/// Why a key is in its cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is on the deny list.
    Denied,
    /// It is on the allow list.
    Allowed,
    /// Its rank against the threshold.
    Rank,
    /// There is no key, or none that may be hashed.
    NoKey,
}

impl Why {
    /// The word that logs and commands use.
    pub fn word(self) -> &'static str {
        match self {
            Why::Denied => "denied",
            Why::Allowed => "allowed",
            Why::Rank => "rank",
            Why::NoKey => "no_key",
        }
    }
}

/// A key's cohort, and how it came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The cohort.
    pub cohort: Cohort,
    /// The key's rank, 0 to [`RANKS`] - 1; `None` without a key.
    pub rank: Option<u64>,
    /// What decided.
    pub why: Why,
}

impl Assignment {
    /// Control, for want of a key.
    pub const NO_KEY: Assignment =
        Assignment { cohort: Cohort::Control, rank: None, why: Why::NoKey };
}

impl Canary {
    /// The cohort of a key. An empty key, one over [`KEY_LIMIT`] and one with control characters
    /// count as missing.
    pub fn assign(&self, key: Option<&str>) -> Assignment {
        let Some(key) = key.filter(|key| usable(key)) else { return Assignment::NO_KEY };
        let rank = rank(&self.salt, key);
        let (cohort, why) = if self.deny.contains(key) {
            (Cohort::Control, Why::Denied)
        } else if self.allow.contains(key) {
            (Cohort::Canary, Why::Allowed)
        } else if rank < self.share.threshold() {
            (Cohort::Canary, Why::Rank)
        } else {
            (Cohort::Control, Why::Rank)
        };
        Assignment { cohort, rank: Some(rank), why }
    }
}

fn usable(key: &str) -> bool {
    !key.is_empty() && key.len() <= KEY_LIMIT && !key.chars().any(char::is_control)
}

/// A key's place among all keys of a salt: 0 to [`RANKS`] - 1, the same for ever.
pub fn rank(salt: &str, key: &str) -> u64 {
    let hash = u64::from(hash(salt, key));
    (hash % 100) * PER_PERCENT + hash / 100
}

fn hash(salt: &str, key: &str) -> u32 {
    murmur::hash([salt.as_bytes(), b":", key.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canary(percent: f64) -> Canary {
        Canary {
            salt: "fast-mode/2026-12".to_owned(),
            share: Share::from_percent(percent).unwrap(),
            keys: vec![KeySource::Room],
            allow: BTreeSet::from(["vip".to_owned(), "both".to_owned()]),
            deny: BTreeSet::from(["banned".to_owned(), "both".to_owned()]),
        }
    }

    #[test]
    fn vectors() {
        let salt = "fast-mode/2026-12";
        let cases = [
            ("user-1", 338_138_362, 2_666_261_109),
            ("user-2", 2_824_649_319, 844_290_280),
            ("user-3", 1_255_487_968, 2_933_132_643),
            ("日本語", 4_181_341_389, 3_864_334_310),
        ];
        for (key, expected_hash, expected_rank) in cases {
            assert_eq!(hash(salt, key), expected_hash, "{key}");
            assert_eq!(rank(salt, key), expected_rank, "{key}");
        }
    }

    #[test]
    fn unleash_vectors() {
        // Normalised 1..=100, from the Unleash client specification.
        assert_eq!(hash("gr1", "123") % 100 + 1, 73);
        assert_eq!(hash("groupX", "999") % 100 + 1, 25);
        let ten = Share::from_percent(10.0).unwrap().threshold();
        assert!(rank("Feature.flexibleRollout.10", "174") < ten);
        assert!(rank("Feature.flexibleRollout.10", "499") >= ten);
    }

    #[test]
    fn lists_come_first_and_deny_before_allow() {
        let cases = [
            ("vip", 0.0, Cohort::Canary, Why::Allowed),
            ("both", 100.0, Cohort::Control, Why::Denied),
            ("banned", 100.0, Cohort::Control, Why::Denied),
            ("user-1", 0.0, Cohort::Control, Why::Rank),
            ("user-1", 100.0, Cohort::Canary, Why::Rank),
            ("", 100.0, Cohort::Control, Why::NoKey),
            ("a\u{7}b", 100.0, Cohort::Control, Why::NoKey),
        ];
        for (key, percent, cohort, why) in cases {
            let got = canary(percent).assign(Some(key));
            assert_eq!((got.cohort, got.why), (cohort, why), "{key:?}");
        }
        assert_eq!(canary(100.0).assign(None), Assignment::NO_KEY);
        assert_eq!(canary(100.0).assign(Some(&"k".repeat(257))), Assignment::NO_KEY);
    }

    #[test]
    fn shares() {
        assert_eq!(Share::from_percent(100.0).unwrap().threshold(), RANKS);
        assert_eq!(Share::from_percent(0.0).unwrap().threshold(), 0);
        assert_eq!(Share::from_percent(0.5).unwrap().percent(), 0.5);
        for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::from_percent(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_share_of_members_is_the_share_asked_for() {
        const KEYS: u32 = 100_000;
        for percent in [0.1, 1.0, 10.0, 50.0] {
            let canary = canary(percent);
            let members = (0..KEYS)
                .filter(|n| canary.assign(Some(&format!("u{n}"))).cohort == Cohort::Canary)
                .count();
            let p = percent / 100.0;
            let sigma = (f64::from(KEYS) * p * (1.0 - p)).sqrt();
            let off = (members as f64 - f64::from(KEYS) * p).abs();
            assert!(off < 5.0 * sigma, "{percent} %: {members} of {KEYS}");
        }
    }

    /// Case 74 of the attacks: no pattern in room ids, chosen or drawn, favours a rank, and what one
    /// salt shows of its members says nothing of another's. Pearson's test, the ids the same in every
    /// run.
    #[test]
    fn ranks_are_spread_evenly_whatever_the_rooms_are_called() {
        const ROOMS: u64 = 100_000;
        // 99 and 3 degrees of freedom: what chance exceeds once in ten thousand draws.
        const HUNDRED_BINS: f64 = 157.0;
        const FOUR_BINS: f64 = 21.1;
        let noise = |n: u64| {
            let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 27)
        };
        let names: [fn(u64, u64) -> String; 4] = [
            |n, _| n.to_string(),
            |n, _| format!("room-{n:09}-aaaaaaaaaaaaaaaaaaaaaaaa"),
            |n, noise| format!("{noise:016x}-{n:08x}"),
            |n, _| char::from_u32(0x1000 + n as u32).map_or(format!("?{n}"), |c| format!("{c}{n}")),
        ];
        let even = |bins: &[u64]| -> f64 {
            let expected = ROOMS as f64 / bins.len() as f64;
            bins.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
        };
        for (style, name) in names.iter().enumerate() {
            let mut ranks = [0; 100];
            let mut pairs = [0; 4];
            for n in 0..ROOMS {
                let room = name(n, noise(n));
                let [first, second] =
                    ["fast-mode/2026-12", "fast-mode/2027-01"].map(|salt| rank(salt, &room));
                ranks[(first / PER_PERCENT) as usize] += 1;
                let half = |rank: u64| usize::from(rank < RANKS / 2);
                pairs[half(first) * 2 + half(second)] += 1;
            }
            let (spread, apart) = (even(&ranks), even(&pairs));
            assert!(spread < HUNDRED_BINS, "names {style}: {spread}");
            assert!(apart < FOUR_BINS, "names {style}: {apart}");
        }
    }

    proptest! {
        #[test]
        fn growth_only_adds(key in ".{1,40}", low in 0u32..=1_000_000, more in 0u32..=1_000_000) {
            let (low, high) = (low.min(more), low.max(more));
            let rank = rank("s", &key);
            if rank < Share(low).threshold() {
                prop_assert!(rank < Share(high).threshold());
            }
        }

        #[test]
        fn whole_percents_are_unleash(key in ".{1,40}", percent in 0u32..=100) {
            let unleash = hash("s", &key) % 100 < percent;
            prop_assert_eq!(rank("s", &key) < Share(percent * 10_000).threshold(), unleash);
        }
    }
}
