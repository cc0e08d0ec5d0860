//! The documents of `/flags`, `/config` and `/log`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::flags::{ConfigView, FlagView, Snapshot};
use crate::logging::LevelsView;

/// Every flag, its value, the layer that decided and what each layer says.
pub fn flags(snapshot: &Snapshot, views: &[FlagView]) -> Value {
    let flags = views.iter().map(|view| {
        let override_ = view.override_.as_ref().map(|set| {
            json!({
                "value": set.value,
                "actor": set.actor,
                "reason": set.reason,
                "expires": seconds(set.expires),
            })
        });
        let entry = json!({
            "value": view.value,
            "layer": view.layer,
            "environment_variable": view.flag.env(),
            "layers": {
                "default": false,
                "file": view.file,
                "environment": view.environment,
                "override": override_,
            },
        });
        (view.flag.name().to_owned(), entry)
    });
    json!({ "generation": snapshot.generation, "flags": Value::Object(flags.collect()) })
}

/// The file that was taken over, defaults included, and what of it waits for a restart. It holds no
/// secrets: the token is in a file of its own.
pub fn config(view: &ConfigView) -> Value {
    json!({
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
