//! `modegate explain`: the decision on one request, by the same code that serves.

use std::io::Read;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use modegate_config::Config;
use modegate_filters::allow::{Call, serves};
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::{Policy, Verdict};
use modegate_filters::rejection::Rejection;
use modegate_filters::route::{Carries, Leg, Route, route};
use modegate_filters::tags::{self, Identity};
use serde_json::{Map, Value, json};

use super::{ConfigFile, Failure, load::load};

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// The leg that the request arrives on: frontend, bridge or runtime.
    #[arg(long, value_parser = parse_leg)]
    leg: Leg,
    /// The request's target.
    #[arg(long)]
    path: String,
    /// The request's method.
    #[arg(long, default_value = "POST")]
    method: Method,
    /// A header of the request; may be given more than once.
    #[arg(long = "header", value_name = "K: V", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Answer in JSON; it is JSON either way, this keeps it on one line.
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&self.file.config)?;
        let policy = loaded.policy();
        let mut body = Vec::new();
        std::io::stdin()
            .read_to_end(&mut body)
            .map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
        let carries = match body.is_empty() {
            true => Carries::Nothing,
            false => Carries::Body,
        };
        let chunks = [Bytes::from(body)];

        let served = self.served(&loaded.config);
        let mut headers: HeaderMap = self.headers.into_iter().collect();
        Identity::take(&mut headers);
        let route = route(self.leg, &self.method, carries, &self.path);
        let explained = match &route {
            _ if !served => not_served(&policy, self.leg),
            None => not_inspected(self.leg),
            Some(route) => {
                let verdict = policy.inspect(loaded.flags(), self.leg, route, &headers, &chunks);
                explain(&policy, self.leg, route, &verdict)
            }
        };
        match self.json {
            true => println!("{explained}"),
            false => println!("{explained:#}"),
        }
        Ok(())
    }

    /// Whether any listener of the leg serves the call, or the leg would by itself.
    fn served(&self, config: &Config) -> bool {
        let uri = self.path.parse::<Uri>().ok();
        let path = uri.as_ref().map_or(self.path.as_str(), Uri::path);
        let of_leg = config.listeners.iter().filter(|listener| listener.leg == self.leg);
        let more: Vec<Call> = of_leg.flat_map(|listener| listener.allow.clone()).collect();
        serves(self.leg, &more, &self.method, path)
    }
}

fn not_served(policy: &Policy, leg: Leg) -> Value {
    let mut explained = not_inspected(leg);
    if let Some(explained) = explained.as_object_mut() {
        explained.insert("action".to_owned(), "reject".into());
        let rejection = refusal(policy, leg, Rejection::NotAllowed, None, None);
        explained.insert("rejection".to_owned(), rejection);
    }
    explained
}

fn not_inspected(leg: Leg) -> Value {
    json!({
        "leg": leg.word(),
        "route": null,
        "dialect": null,
        "requested": null,
        "effective": null,
        "profile": null,
        "cohort": null,
        "cohort_by": null,
        "rank": null,
        "room": null,
        "action": "pass",
        "headers": {},
        "body_edits": [],
        "rejection": null,
    })
}

fn explain(policy: &Policy, leg: Leg, route: &Route, verdict: &Verdict) -> Value {
    let contract = policy.contract();
    let rejection = verdict.rejection.map(|rejection| {
        refusal(policy, leg, rejection, Some(route.dialect), verdict.id.as_deref())
    });
    // A request whose body could not be read has no cohort and asked for nothing.
    let read = verdict.because.is_some();
    let edits: Vec<Value> = verdict
        .edits
        .iter()
        .map(|edit| {
            let with = String::from_utf8_lossy(&edit.with);
            json!({ "start": edit.span.start, "end": edit.span.end, "with": with })
        })
        .collect();
    json!({
        "leg": leg.word(),
        "route": route.name,
        "dialect": route.dialect.word(),
        "requested": read.then(|| verdict.requested.word(&contract.modes)),
        "effective": read.then(|| contract.modes.name(verdict.effective)),
        "profile": verdict.profile.as_ref().map(|profile| &profile.name),
        "cohort": read.then(|| verdict.assignment.cohort.word()),
        "cohort_by": read.then(|| verdict.assignment.why.word()),
        "rank": verdict.assignment.rank,
        "room": verdict.room,
        "action": verdict.action.word(),
        "headers": if verdict.rejection.is_some() { json!({}) } else { tag_headers(policy, verdict) },
        "body_edits": edits,
        "rejection": rejection,
    })
}

fn refusal(
    policy: &Policy,
    leg: Leg,
    rejection: Rejection,
    dialect: Option<Dialect>,
    id: Option<&str>,
) -> Value {
    let contract = policy.contract();
    let body = rejection.body(dialect, contract, leg, id);
    json!({
        "status": rejection.status().as_u16(),
        "reason": rejection.reason(),
        "message": rejection.message(contract, leg),
        "body": String::from_utf8_lossy(&body),
    })
}

fn tag_headers(policy: &Policy, verdict: &Verdict) -> Value {
    let mut headers = HeaderMap::new();
    tags::set(&mut headers, policy, verdict);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let set: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), Value::String(text(value))))
        .collect();
    Value::Object(set)
}

fn parse_leg(word: &str) -> Result<Leg, String> {
    Leg::from_word(word).ok_or_else(|| "allowed: frontend, bridge or runtime".to_owned())
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written 'name: value'")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is no header name"))?;
    let value = value.trim().parse().map_err(|_| format!("{value:?} is no header value"))?;
    Ok((name, value))
}
