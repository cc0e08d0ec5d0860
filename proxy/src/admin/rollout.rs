//! The calls about the rollout: what it is at, orders to it, signals, incidents.

use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use modegate_filters::rollout::decide::{Command, Verb};
use modegate_filters::rollout::observe::{Signal, SignalVerdict};
use serde::Deserialize;
use serde_json::{Value, json as object};

use super::answer::{Answer, json, refuse, text};
use super::mutate::{read, refused, unknown};
use crate::flags::{expiry_between, vouched};
use crate::moment::now;
use crate::rollout::{Controller, OrderError};

/// The longest attestation.
const ATTESTED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What may be posted to `/rollout/`.
const VERBS: [&str; 8] =
    ["start", "hold", "resume", "approve", "advance", "rollback", "abort", "signals"];

/// What a process answers that runs no rollout.
pub fn none() -> Answer {
    let why = "no rollout is run here: rollout.enabled is false, or a fleet's controller runs it";
    refuse(StatusCode::NOT_FOUND, why)
}

/// `GET /incidents` and `GET /incidents/{id}`, the latter as Markdown where its name ends so.
pub fn incidents(controller: &Controller, path: &str) -> Answer {
    let incidents = controller.incidents();
    let name = path.strip_prefix("/incidents").unwrap_or_default().trim_start_matches('/');
    if name.is_empty() {
        return match incidents.list() {
            Ok(list) => json(StatusCode::OK, &object!({ "incidents": list })),
            Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        };
    }
    match incidents.read(name) {
        Ok(Some(report)) if name.ends_with(".md") => text(StatusCode::OK, "text/markdown", report),
        Ok(Some(report)) => text(StatusCode::OK, "application/json", report),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "no such incident"),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// The body of an order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    actor: String,
    reason: String,
    #[serde(default)]
    hard: bool,
}

/// The body of a signal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signalled {
    verdict: SignalVerdict,
    source: String,
    reason: String,
    evidence: Option<String>,
    expires: Option<String>,
}

/// `POST /rollout/{verb}`.
pub async fn order(controller: &Controller, verb: &str, body: Incoming) -> Answer {
    if verb == "signals" {
        return signal(controller, body).await;
    }
    let order: Order = match read(body, r#"{"actor","reason","hard"?}"#).await {
        Ok(order) => order,
        Err(refusal) => return refusal,
    };
    let verb = match (verb, order.hard) {
        ("rollback", hard) => Verb::Rollback { hard },
        (_, true) => return refuse(StatusCode::BAD_REQUEST, "hard is said of a rollback only"),
        ("start", _) => Verb::Start,
        ("hold", _) => Verb::Hold,
        ("resume", _) => Verb::Resume,
        ("approve", _) => Verb::Approve,
        ("advance", _) => Verb::Advance,
        ("abort", _) => Verb::Abort,
        _ => return unknown("verb", verb, &VERBS),
    };
    if let Err(refusal) = vouched((&order.actor, &order.reason), None) {
        return refused(&refusal);
    }
    let command = Command { verb, actor: order.actor, reason: order.reason };
    answered(controller.order(command))
}

async fn signal(controller: &Controller, body: Incoming) -> Answer {
    let shape = r#"{"verdict":"severe"|"attested","source","reason","evidence"?,"expires"?}"#;
    let said: Signalled = match read(body, shape).await {
        Ok(said) => said,
        Err(refusal) => return refusal,
    };
    if let Err(refusal) = vouched((&said.source, &said.reason), None) {
        return refused(&refusal);
    }
    let expires = match (said.verdict, said.expires.as_deref()) {
        (SignalVerdict::Severe, Some(_)) => {
            return refuse(StatusCode::BAD_REQUEST, "what is severe does not expire");
        }
        (SignalVerdict::Severe, None) => None,
        (SignalVerdict::Attested, Some(text)) => match lasts_as_attested(text) {
            Some(lasts) => Some(now().saturating_add(lasts)),
            None => return refuse(StatusCode::BAD_REQUEST, &expiry_between(text, ATTESTED)),
        },
        (SignalVerdict::Attested, None) => {
            return refuse(StatusCode::BAD_REQUEST, "an attestation needs expires, such as 24h");
        }
    };
    let Signalled { verdict, source, reason, evidence, .. } = said;
    answered(controller.signal(Signal { verdict, source, reason, evidence, expires }))
}

/// In milliseconds; `None` for what is no duration, nothing, or too long.
fn lasts_as_attested(text: &str) -> Option<u64> {
    let lasts = modegate_config::parse_duration(text)?;
    let lasts = Some(lasts).filter(|lasts| !lasts.is_zero() && *lasts <= ATTESTED)?;
    u64::try_from(lasts.as_millis()).ok()
}

fn answered(followed: Result<Value, OrderError>) -> Answer {
    match followed {
        Ok(view) => json(StatusCode::OK, &view),
        Err(OrderError::Refused(why)) => refuse(StatusCode::CONFLICT, &why),
        Err(OrderError::Failed(error)) => refuse(StatusCode::SERVICE_UNAVAILABLE, &error),
    }
}
