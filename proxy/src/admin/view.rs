//! The documents of `/flags` and `/config`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::flags::{ConfigView, FlagView, Snapshot};

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

/// Seconds since 1970, as other tools take them.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
