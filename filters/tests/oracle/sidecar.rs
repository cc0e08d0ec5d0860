//! The sidecar's side of the comparison: its verdict on a body in many chunkings, as the oracle
//! takes it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Method};
use modegate_filters::bucket::{Canary, KeySource, Share};
use modegate_filters::contract::{Contract, Downgrade, Modes, Profile};
use modegate_filters::decide::Flags;
use modegate_filters::edit;
use modegate_filters::inspect::{Policy, Verdict};
use modegate_filters::route::{Carries, Leg, Route, route};
use modegate_filters::tags;
use serde_json::{Map, Value, json};

use crate::node::Node;
use crate::setting::{Door, MODES, PROFILES, SALT, Setting};

/// The filters under one setting.
pub struct Sidecar {
    setting: Setting,
    policy: Policy,
    flags: Flags,
}

impl Sidecar {
    pub fn new(setting: Setting) -> Sidecar {
        let modes = Modes::new(MODES.map(str::to_owned)).expect("modes");
        let profiles = PROFILES.map(|(name, mode)| {
            let mode = modes.find(mode).expect("a mode");
            let profile = Profile::new(name.to_owned(), mode).expect("a profile");
            (name.to_owned(), Arc::new(profile))
        });
        let downgrade = match setting.downgrade {
            "strip" => Downgrade::Strip,
            _ => Downgrade::Replace,
        };
        let contract = Contract {
            field: "processing".to_owned(),
            modes,
            downgrade,
            body_limit: setting.body_limit,
            runtime_body_limit: setting.body_limit,
            profiles: profiles.into(),
        };
        let canary = Canary {
            salt: SALT.to_owned(),
            share: Share::from_percent(f64::from(setting.percent)).expect("a share"),
            keys: vec![KeySource::Room],
            allow: Default::default(),
            deny: Default::default(),
        };
        let Setting { contract: accepts, runtime, kill, .. } = setting;
        let flags = Flags { contract: accepts, runtime, kill, ..Flags::default() };
        Sidecar { setting, policy: Policy::new(contract, canary), flags }
    }

    /// Asks the oracle about our verdict; the error says what is wrong with it.
    pub fn check(&self, node: &mut Node, door: Door, body: &[u8]) -> Result<(), String> {
        let shown = |faults: &str| {
            let start = String::from_utf8_lossy(&body[..body.len().min(300)]);
            let Door { leg, target } = door;
            let (setting, length) = (self.setting.name, body.len());
            format!("{leg} {target}, {setting}: {start:?} ({length} bytes): {faults}")
        };
        let verdict = self.verdict(door, body).map_err(|fault| shown(&fault))?;
        let faults = node.faults(&self.question(door, verdict), body);
        if faults.is_empty() { Ok(()) } else { Err(shown(&faults.join("; "))) }
    }

    /// The question whether a verdict is right.
    pub fn question(&self, door: Door, verdict: Value) -> Value {
        let Door { leg, target } = door;
        let settings = self.setting.json();
        json!({ "op": "judge", "leg": leg, "target": target, "settings": settings, "verdict": verdict })
    }

    /// Our verdict, the same however the body is cut.
    pub fn verdict(&self, door: Door, body: &[u8]) -> Result<Value, String> {
        let leg = Leg::from_word(door.leg).expect("a leg");
        let Some(route) = route(leg, &Method::POST, Carries::Body, door.target) else {
            return Ok(json!({ "dialect": null, "action": "pass", "body_edits": [] }));
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let inspect =
            |chunks: &[Bytes]| self.policy.inspect(self.flags, leg, &route, &headers, chunks);
        let whole = [Bytes::copy_from_slice(body)];
        let verdict = inspect(&whole);
        let expected = spliced(body, &verdict)?;
        for size in sizes(body.len()) {
            let chunks: Vec<Bytes> =
                whole[0].chunks(size).map(|chunk| whole[0].slice_ref(chunk)).collect();
            if inspect(&chunks) != verdict {
                return Err(format!("another verdict in chunks of {size}"));
            }
            if edit::apply(&chunks, &verdict.edits).concat() != expected {
                return Err(format!("edited otherwise in chunks of {size}"));
            }
        }
        Ok(self.as_json(leg, &route, &verdict))
    }

    fn as_json(&self, leg: Leg, route: &Route, verdict: &Verdict) -> Value {
        let contract = self.policy.contract();
        let read = verdict.because.is_some();
        let edits: Vec<Value> = verdict
            .edits
            .iter()
            .map(|edit| {
                let with = String::from_utf8_lossy(&edit.with);
                json!({ "start": edit.span.start, "end": edit.span.end, "with": with })
            })
            .collect();
        let rejection = verdict.rejection.map(|rejection| {
            let body = rejection.body(Some(route.dialect), contract, leg, verdict.id.as_deref());
            json!({ "reason": rejection.reason(), "body": String::from_utf8_lossy(&body) })
        });
        let mut headers = HeaderMap::new();
        if rejection.is_none() {
            tags::set(&mut headers, &self.policy, verdict);
        }
        let text = |value: &HeaderValue| Value::from(value.to_str().unwrap_or("not ASCII"));
        let headers: Map<String, Value> =
            headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        json!({
            "dialect": route.dialect.word(),
            "requested": read.then(|| verdict.requested.word(&contract.modes)),
            "effective": read.then(|| contract.modes.name(verdict.effective)),
            "profile": verdict.profile.as_ref().map(|profile| &profile.name),
            "cohort": read.then(|| verdict.assignment.cohort.word()),
            "rank": verdict.assignment.rank,
            "room": verdict.room,
            "action": verdict.action.word(),
            "headers": headers,
            "body_edits": edits,
            "rejection": rejection,
        })
    }
}

/// The edited body, put together without [`edit::apply`].
fn spliced(body: &[u8], verdict: &Verdict) -> Result<Vec<u8>, String> {
    let mut edited = Vec::with_capacity(body.len());
    let mut kept = 0;
    for edit in &verdict.edits {
        let before = body.get(kept..edit.span.start).ok_or("the edits overlap")?;
        edited.extend_from_slice(before);
        edited.extend_from_slice(&edit.with);
        kept = edit.span.end;
    }
    edited.extend_from_slice(body.get(kept..).ok_or("an edit leaves the body")?);
    Ok(edited)
}

/// Sizes of chunks that take a while each, but not too long.
fn sizes(length: usize) -> impl Iterator<Item = usize> {
    let chunks = [1, 2, 3, 7, 64, 4099, 65_536, 1 << 20];
    chunks.into_iter().filter(move |size| length / size < 5000 && (*size < length || *size == 1))
}
