//! `modegate explain`: the decision on one request, by the same code that serves.

use std::io::Read;

use bytes::Bytes;
use clap::Args;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use modegate_config::Config;
use modegate_filters::allow::{Call, serves};
use modegate_filters::dialect::Dialect;
use modegate_filters::framing::Framing;
use modegate_filters::head::judge;
use modegate_filters::inspect::{Policy, Verdict};
use modegate_filters::rejection::Rejection;
use modegate_filters::route::{Carries, Leg, Route, route};
use modegate_filters::tags::{self, Identity};
use modegate_filters::target::origin_form;
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

        let mut headers: HeaderMap = self.headers.iter().cloned().collect();
        let explained = match self.target(&loaded.config, &headers) {
            Err(refused) => refused.explained(&policy, self.leg),
            Ok(target) => {
                Identity::take(&mut headers);
                match route(self.leg, &self.method, carries, target.path()) {
                    None => not_inspected(self.leg),
                    Some(route) => {
                        let flags = loaded.flags();
                        let verdict = policy.inspect(flags, self.leg, &route, &headers, &chunks);
                        explain(&policy, self.leg, &route, &verdict)
                    }
                }
            }
        };
        match self.json {
            true => println!("{explained}"),
            false => println!("{explained:#}"),
        }
        Ok(())
    }

    /// The target as it is judged and sent on, or why the head alone rules the request out: as of a
    /// request of HTTP/1.1, which has a Host.
    fn target(&self, config: &Config, headers: &HeaderMap) -> Result<Uri, Refused> {
        let line = format!("{} {} HTTP/1.1\r\nhost: localhost\r\n\r\n", self.method, self.path);
        Framing::new().read(line.as_bytes()).map_err(|_| Refused::Unread)?;
        let target = self.path.parse::<Uri>().map_err(|_| Refused::Unread)?;
        let mut headers = headers.clone();
        headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
        let fields = config.limits.header_fields;
        judge(Version::HTTP_11, &self.method, &target, &headers, fields).map_err(Refused::Read)?;
        let target = origin_form(target);
        match self.served(config, target.path()) {
            true => Ok(target),
            false => Err(Refused::Read(Rejection::NotAllowed)),
        }
    }

    /// Whether any listener of the leg serves the call, or the leg would by itself.
    fn served(&self, config: &Config, path: &str) -> bool {
        let of_leg = config.listeners.iter().filter(|listener| listener.leg == self.leg);
        let more: Vec<Call> = of_leg.flat_map(|listener| listener.allow.clone()).collect();
        serves(self.leg, &more, &self.method, path)
    }
}

/// A request that is refused before its body is asked about.
enum Refused {
    /// What is no HTTP: the HTTP library answers it, with a status and nothing else.
    Unread,
    /// What was read, and then refused.
    Read(Rejection),
}

impl Refused {
    fn explained(&self, policy: &Policy, leg: Leg) -> Value {
        let rejection = match self {
            Refused::Unread => {
                let mut rejection = refusal(policy, leg, Rejection::BadHead, None, None);
                rejection["body"] = "".into();
                rejection
            }
            Refused::Read(rejection) => refusal(policy, leg, *rejection, None, None),
        };
        let mut explained = not_inspected(leg);
        explained["action"] = "reject".into();
        explained["rejection"] = rejection;
        explained
    }
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
