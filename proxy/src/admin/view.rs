//! The documents of `/flags`, `/config` and `/log`.

use std::time::{SystemTime, UNIX_EPOCH};

use modegate_filters::bucket::Share;
use modegate_filters::contract::Contract;
use modegate_filters::fingerprint::{canonical, fingerprint};
use serde_json::{Map, Value, json};

use crate::flags::{ConfigView, View};
use crate::logging::LevelsView;

/// Every flag and the share: the value, the layer that decided and what each layer says; the
/// documents, and the breaker.
pub fn flags(view: &View) -> Value {
    let flags = view.flags.iter().map(|view| {
        let mut layers: Map<String, Value> =
            view.said.iter().map(|(name, said)| ((*name).to_owned(), json!(said))).collect();
        layers.insert("default".to_owned(), json!(false));
        let override_ = view.override_.as_ref().map(|set| {
            json!({
                "value": set.value,
                "actor": set.actor,
                "reason": set.reason,
                "expires": seconds(set.expires),
            })
        });
        layers.insert("override".to_owned(), json!(override_));
        let entry = json!({
            "value": view.value,
            "layer": view.layer,
            "environment_variable": view.flag.env(),
            "layers": layers,
        });
        (view.flag.name().to_owned(), entry)
    });
    let (layer, said) = view.share;
    let percent = |share: Option<Share>| json!(share.map(Share::percent));
    let layers = said.into_iter().map(|(name, said)| (name.to_owned(), percent(said)));
    let documents = view.documents.iter().map(|place| {
        let mut entry = json!({ "error": place.error });
        if let Some(taken) = &place.taken {
            let document = &taken.document;
            entry["generation"] = json!(document.generation);
            entry["sha256"] = json!(taken.sha256);
            entry["taken"] = json!(seconds(taken.at));
            entry["freshness"] = json!(taken.freshness.word());
            entry["rollout"] = json!(document.rollout);
            entry["lease_until"] = json!(document.lease_until.map(|until| until / 1000));
            entry["lease_over"] = json!(taken.lapsed);
        }
        (place.layer.word().to_owned(), entry)
    });
    json!({
        "generation": view.snapshot.generation,
        "flags": Value::Object(flags.collect()),
        "share": {
            "percent": view.snapshot.settings.policy.canary().share.percent(),
            "layer": layer,
            "layers": Value::Object(layers.collect()),
        },
        "documents": Value::Object(documents.collect()),
        "breaker": view.breaker.map(|opened| {
            json!({ "cause": opened.cause.word(), "opened": seconds(opened.at) })
        }),
    })
}

/// The file that was taken over, defaults included, what of it waits for a restart, and the contract
/// in force, to be compared with others'. It holds no secrets: the token is in a file of its own.
pub fn config(view: &ConfigView, contract: &Contract) -> Value {
    let in_force = canonical(contract);
    json!({
        "contract": { "fingerprint": fingerprint(&in_force), "in_force": in_force },
        "file": view.path.display().to_string(),
        "loaded": seconds(view.loaded),
        "loads": { "ok": view.counts.0, "refused": view.counts.1 },
        "error": view.error,
        "restart_needed": view.restart,
        "settings": modegate_config::effective(&view.text),
    })
}

/// What is logged, what the file says of it, and who set it otherwise.
pub fn log(view: &LevelsView) -> Value {
    let override_ = view.override_.as_ref().map(|set| {
        let mut said = json!({
            "level": set.level,
            "actor": set.actor,
            "reason": set.reason,
            "expires": seconds(set.expires),
        });
        if let Some(access) = set.access {
            said["access"] = json!(access);
        }
        said
    });
    json!({
        "level": view.now.level,
        "access": view.now.access,
        "file": { "level": view.file.level, "access": view.file.access },
        "override": override_,
    })
}

/// Seconds since 1970, as other tools take them.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
