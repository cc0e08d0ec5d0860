//! Asks the instances of a fleet for requests that show what went wrong: the last mismatches that
//! `GET /parity` has there. An instance that does not answer, or not so, costs its own and no more.

use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, StatusCode};
use modegate_config::Endpoint;
use modegate_filters::parity::Verdict;
use modegate_filters::rollout::observe::{Exemplar, Instance};
use modegate_filters::rollout::plan::Millis;
use modegate_filters::route::Leg;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::plain_client::PlainClient;

/// How long all of them together may take.
const TIME: Duration = Duration::from_secs(2);
/// So many are asked.
const ASKED: usize = 64;
/// The largest answer, in bytes: a hundred mismatches are about 60 KiB.
const ANSWER_LIMIT: usize = 256 << 10;
/// So many are given.
const GIVEN: usize = 10;
/// The longest word, digest or id that is believed, in bytes.
const WORD_LIMIT: usize = 64;

/// What was seen since a moment by the instances that are up, the newest last. Those whose breaker is
/// open are asked first: they saw it.
pub async fn ask(instances: &[Instance], since: Millis) -> Vec<Exemplar> {
    let mut up: Vec<&Instance> = instances.iter().filter(|one| one.up).collect();
    up.sort_by_key(|one| one.breaker.is_none());
    let end = Instant::now() + TIME;
    let mut asked = JoinSet::new();
    for name in up.into_iter().take(ASKED).map(|one| one.name.clone()) {
        asked.spawn(async move {
            let late = || Err(format!("none within {} s", TIME.as_secs()));
            let answered = timeout_at(end, of(&name)).await.unwrap_or_else(|_| late());
            (name, answered)
        });
    }
    let mut found = Vec::new();
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok((_, Ok(exemplars))) => found.extend(exemplars),
            Ok((instance, Err(why))) => {
                tracing::warn!(instance, why, "no answer to what shows the incident");
            }
            Err(_) => {}
        }
    }
    found.retain(|one| one.at >= since);
    found.sort_by_key(|one| one.at);
    found.split_off(found.len().saturating_sub(GIVEN))
}

async fn of(name: &str) -> Result<Vec<Exemplar>, String> {
    let endpoint = endpoint(name).ok_or("its name is no address")?;
    let uri = format!("{endpoint}/parity");
    let request = Request::get(uri).body(Bytes::new()).map_err(|error| error.to_string())?;
    let answered = PlainClient(endpoint).exchange_up_to(request, ANSWER_LIMIT).await;
    let answer = answered.map_err(|error| error.to_string())?;
    match answer.status() {
        StatusCode::OK => read(answer.body()),
        status => Err(format!("status {}", status.as_u16())),
    }
}

/// Prometheus calls an instance as it is scraped, where nobody relabels it.
fn endpoint(name: &str) -> Option<Endpoint> {
    let authority = name.parse::<Authority>().ok().filter(|_| !name.contains('@'))?;
    let port = authority.port_u16().filter(|port| *port > 0)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| Endpoint { host: host.to_owned(), port })
}

#[derive(Deserialize)]
struct Answer {
    mismatches: Vec<Value>,
}

#[derive(Deserialize)]
struct Mismatch {
    at_ms: Millis,
    leg: String,
    verdict: String,
    /// A sidecar of an older version does not say it.
    #[serde(default)]
    trace_id: String,
    expected: Account,
    found: Account,
}

#[derive(Deserialize)]
struct Account {
    mode: String,
    room: Option<String>,
    request_id: String,
}

/// The mismatches of an answer; one that is none of ours is left out.
fn read(body: &[u8]) -> Result<Vec<Exemplar>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let known = answer.mismatches.into_iter().filter_map(|one| serde_json::from_value(one).ok());
    Ok(known.filter_map(exemplar).collect())
}

/// Goes into reports and the audit: nothing but words, digests and ids, whoever answered.
fn exemplar(one: Mismatch) -> Option<Exemplar> {
    let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.word() == one.verdict)?;
    let leg = Leg::ALL.into_iter().find(|leg| leg.word() == one.leg)?;
    let room = |room: Option<String>| room.unwrap_or_else(|| "none".to_owned());
    let (expected, found) = match verdict.is_of_room() {
        true => (room(one.expected.room), room(one.found.room)),
        false => (one.expected.mode, one.found.mode),
    };
    let exemplar = Exemplar {
        at: one.at_ms,
        leg: leg.word().to_owned(),
        what: verdict.word().to_owned(),
        expected,
        found,
        request_id: one.found.request_id,
        trace_id: one.trace_id,
    };
    let said = [&exemplar.expected, &exemplar.found, &exemplar.request_id, &exemplar.trace_id];
    let is_word = |text: &&String| {
        text.len() <= WORD_LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    (verdict.is_mismatch() && said.iter().all(is_word)).then_some(exemplar)
}

#[cfg(test)]
mod tests;
