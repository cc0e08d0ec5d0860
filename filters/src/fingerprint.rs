//! What makes two sidecars treat a request's contract alike, and its fingerprint: the member, the
//! modes, the downgrade and the profiles. It is written in one way only, whatever the order of the
//! file, under the keys by which the file says it.

use serde_json::{Map, Value, json};

use crate::contract::{Contract, Mode, Profile};
use crate::hex;

/// So many digits of a fingerprint are shown where there is little room.
const SHORT: usize = 16;

/// The contract as it is compared.
pub fn canonical(contract: &Contract) -> Value {
    let modes = &contract.modes;
    // The first is the default; the order of the others means nothing.
    let mut others: Vec<&str> = modes.iter().skip(1).map(|(_, name)| name).collect();
    others.sort_unstable();
    let listed: Vec<&str> = [modes.name(Mode::DEFAULT)].into_iter().chain(others).collect();
    let profile = |profile: &Profile| json!({ "mode": modes.name(profile.mode) });
    let profiles: Map<String, Value> =
        contract.profiles.values().map(|one| (one.name.clone(), profile(one))).collect();
    // In the order of the alphabet: whoever keeps the order of insertion keeps this one.
    json!({
        "contract": {
            "downgrade": contract.downgrade.word(),
            "field": contract.field,
            "modes": listed,
        },
        "profiles": profiles,
    })
}

/// The SHA-256 digest of a canonical contract, in 64 digits.
pub fn fingerprint(canonical: &Value) -> String {
    hex::sha256(canonical.to_string().as_bytes())
}

/// A fingerprint's first digits, for a label.
pub fn short(fingerprint: &str) -> &str {
    fingerprint.get(..SHORT).unwrap_or(fingerprint)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::contract::{Downgrade, Modes};

    const MODES: [&str; 3] = ["default", "fast", "turbo"];

    fn contract(modes: &[&str], profiles: &[(&str, &str)]) -> Contract {
        let modes = Modes::new(modes.iter().map(|name| (*name).to_owned())).unwrap();
        let profile = |(name, mode): &(&str, &str)| {
            let mode = modes.find(mode).unwrap();
            ((*name).to_owned(), Arc::new(Profile::new((*name).to_owned(), mode).unwrap()))
        };
        Contract {
            field: "processing".to_owned(),
            profiles: profiles.iter().map(profile).collect(),
            modes,
            downgrade: Downgrade::Replace,
            body_limit: 1024,
            runtime_body_limit: 1024,
        }
    }

    fn of(contract: &Contract) -> String {
        fingerprint(&canonical(contract))
    }

    #[test]
    fn order_means_nothing_but_for_the_default() {
        let one = contract(&MODES, &[("a", "fast"), ("b", "turbo")]);
        let same = [
            contract(&MODES, &[("b", "turbo"), ("a", "fast")]),
            contract(&["default", "turbo", "fast"], &[("a", "fast"), ("b", "turbo")]),
            Contract { body_limit: 4096, ..one.clone() },
        ];
        for same in same {
            assert_eq!(canonical(&same).to_string(), canonical(&one).to_string());
        }
        assert_eq!(of(&one).len(), 64);
        assert_eq!(short(&of(&one)).len(), SHORT);
    }

    /// It must not change from one version to the next: sidecars of both are compared.
    #[test]
    fn it_is_written_like_this() {
        let written = canonical(&contract(&["default", "fast"], &[("fast-v1", "fast")]));
        assert_eq!(
            written.to_string(),
            r#"{"contract":{"downgrade":"replace","field":"processing","modes":["default","fast"]},"profiles":{"fast-v1":{"mode":"fast"}}}"#
        );
    }

    #[test]
    fn every_change_is_another() {
        let profiles = [("a", "fast"), ("b", "turbo")];
        let one = contract(&MODES, &profiles);
        let all = [
            one.clone(),
            contract(&["turbo", "default", "fast"], &[("a", "fast")]),
            contract(&["fast", "default", "turbo"], &[("a", "turbo")]),
            contract(&["default", "fast", "turbo", "more"], &profiles),
            contract(&MODES, &profiles[..1]),
            contract(&MODES, &[("a", "fast"), ("c", "turbo")]),
            contract(&MODES, &[("a", "turbo"), ("b", "turbo")]),
            Contract { field: "processing2".to_owned(), ..one.clone() },
            Contract { downgrade: Downgrade::Strip, ..one },
        ];
        let digests: std::collections::BTreeSet<String> = all.iter().map(of).collect();
        assert_eq!(digests.len(), all.len());
    }
}
