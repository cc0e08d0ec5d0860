//! The calls that change a flag, and what is common to every call that changes something.

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use modegate_config::flags::Flag;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json as object;

use super::answer::{Answer, json, refuse};
use crate::flags::{Refusal, Snapshot, Store, shortened};

/// The largest body of a call, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// Reads a call's body; the shape is what a refusal says that it must be.
pub async fn read<Call: DeserializeOwned>(body: Incoming, shape: &str) -> Result<Call, Answer> {
    let bad = |what: &str| refuse(StatusCode::BAD_REQUEST, what);
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map_err(|_| bad("the body could not be read, or is over 16 KiB"))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|error| bad(&format!("the body must be {shape}: {error}")))
}

/// How long a change lasts; without an expiry, as long as it may.
pub fn lasts(expires: Option<&str>, limit: Duration) -> Result<Duration, Refusal> {
    let Some(text) = expires else { return Ok(limit) };
    let no_duration = || Refusal::Expiry { found: text.to_owned(), limit };
    modegate_config::parse_duration(text).ok_or_else(no_duration)
}

/// There is no such name among these.
pub fn unknown(what: &str, found: &str, allowed: &[&str]) -> Answer {
    let (found, allowed) = (shortened(found), allowed.join(", "));
    refuse(StatusCode::NOT_FOUND, &format!("{what}: found: {found:?}; allowed: {allowed}"))
}

/// Why a change was refused.
pub fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::Unexplained | Refusal::Expiry { .. } => StatusCode::BAD_REQUEST,
        Refusal::Broken(_) => StatusCode::CONFLICT,
        Refusal::NotOverridden(_) | Refusal::NotOpen => StatusCode::NOT_FOUND,
    };
    refuse(status, &refusal.to_string())
}

/// The body of a call that changes a flag.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    value: Option<bool>,
    actor: String,
    reason: String,
    expires: Option<String>,
}

impl Call {
    /// Reads a call's body.
    pub async fn read(body: Incoming) -> Result<Call, Answer> {
        read(body, r#"{"value","actor","reason","expires"?}"#).await
    }

    /// Sets a flag.
    pub fn set(&self, store: &Store, flag: Flag, limit: Duration) -> Answer {
        let Some(value) = self.value else {
            return refuse(StatusCode::BAD_REQUEST, "value must be true or false");
        };
        let lasts = match lasts(self.expires.as_deref(), limit) {
            Ok(lasts) => lasts,
            Err(refusal) => return refused(&refusal),
        };
        match store.set(flag, value, (&self.actor, &self.reason), lasts, limit) {
            Err(refusal) => refused(&refusal),
            Ok(snapshot) => {
                let (name, generation) = (flag.name(), snapshot.generation);
                let (actor, reason, seconds) = (&self.actor, &self.reason, lasts.as_secs());
                tracing::warn!(flag = name, value, %actor, %reason, seconds, generation, "flag set");
                done(flag, &snapshot)
            }
        }
    }

    /// Takes an override back.
    pub fn clear(&self, store: &Store, flag: Flag) -> Answer {
        match store.clear(flag, (&self.actor, &self.reason)) {
            Err(refusal) => refused(&refusal),
            Ok(snapshot) => {
                let (name, generation) = (flag.name(), snapshot.generation);
                let (actor, reason) = (&self.actor, &self.reason);
                tracing::warn!(flag = name, %actor, %reason, generation, "override cleared");
                done(flag, &snapshot)
            }
        }
    }
}

/// The flag as it is now, which may not be what was asked for: `kill` holds while any layer says so.
fn done(flag: Flag, snapshot: &Snapshot) -> Answer {
    let value = flag.of(&snapshot.flags);
    let generation = snapshot.generation;
    json(
        StatusCode::OK,
        &object!({ "flag": flag.name(), "value": value, "generation": generation }),
    )
}
