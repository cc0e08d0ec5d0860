//! What one decision takes: the table, the bucket and the tags; what is removed of a request's head; and the whole of
//! `inspect` on a message of 0.4 KB.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use modegate_filters::bucket::{Canary, KeySource, Share};
use modegate_filters::contract::{Contract, Downgrade, Modes, Profile, Reading};
use modegate_filters::decide::{Flags, decide};
use modegate_filters::inspect::{Policy, Verdict};
use modegate_filters::route::{Carries, Leg, route};
use modegate_filters::scan::{Slot, Wanted, scan};
use modegate_filters::tags::{self, Identity};
use modegate_filters::{edit, text};

use crate::bodies;

const FLAGS: Flags =
    Flags { contract: true, runtime: true, ui: true, cloud_enforced: false, kill: false };
const TARGET: &str = "/api/conversations/60361bd1-001e-4f73-8187-667c5db19ae3/messages";

/// So few heads that they stay in the cache, as the one of a request does.
const FEW: BatchSize = BatchSize::NumIterations(8);

pub fn all(criterion: &mut Criterion) {
    table(criterion);
    head(criterion);
    body(criterion);
}

/// The bucket of the room, the table for what was asked, and the five tags on the head of the request that goes on.
fn table(criterion: &mut Criterion) {
    let policy = policy();
    let mut verdict = inspect(&policy, &[message()]);
    let reading = Reading { requested: verdict.requested, profile: Some("fast-v1".to_owned()) };
    assert!(verdict.profile.is_some(), "the bench measures a mode that applies");
    // Room for all of them, as `data_plane::attire` has it.
    let mut headers = HeaderMap::with_capacity(request().len() + 8);
    headers
        .insert(tags::REQUEST_ID, HeaderValue::from_static("0191d5a0-c0de-7f73-8187-667c5db19ae3"));
    criterion.bench_function("decision/table-tags-bucket", |bencher| {
        bencher.iter_batched_ref(
            || dressed(&headers),
            |headers| {
                let assignment = policy.canary().assign(black_box(verdict.room.as_deref()));
                let reading = black_box(&reading);
                let decision =
                    decide(black_box(FLAGS), policy.contract(), reading, assignment.cohort);
                verdict.assignment = assignment;
                verdict.action = decision.action;
                verdict.effective = decision.effective;
                verdict.profile = decision.profile;
                tags::set(headers, &policy, &verdict);
            },
            FEW,
        );
    });
    let mut alone = |name: &str, part: &dyn Fn(&mut HeaderMap)| {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| dressed(&headers), |headers| part(headers), FEW);
        });
    };
    alone("decision/tags", &|headers| tags::set(headers, &policy, black_box(&verdict)));
    alone("decision/bucket", &|_| {
        black_box(policy.canary().assign(black_box(verdict.room.as_deref())));
    });
    alone("decision/table", &|_| {
        let cohort = verdict.assignment.cohort;
        black_box(decide(black_box(FLAGS), policy.contract(), black_box(&reading), cohort));
    });
}

/// A copy that has room, as a clone has not.
fn dressed(headers: &HeaderMap) -> HeaderMap {
    let mut dressed = HeaderMap::with_capacity(headers.capacity());
    dressed.extend(headers.clone());
    dressed
}

fn head(criterion: &mut Criterion) {
    let plain = request();
    let mut tagged = request();
    tagged.insert(tags::MODE, HeaderValue::from_static("fast"));
    tagged.insert(HeaderName::from_static("x_processing_room"), HeaderValue::from_static("r"));
    for (name, headers) in [("plain", plain), ("tagged", tagged)] {
        criterion.bench_function(&format!("decision/identity-and-strip/{name}"), |bencher| {
            bencher.iter_batched_ref(
                || headers.clone(),
                |headers| Identity::take(black_box(headers)),
                FEW,
            );
        });
    }
}

/// All that a decision reads from a body of 0.4 KB, with the body without the member; and `inspect` as the proxy calls it.
fn body(criterion: &mut Criterion) {
    let body = [Bytes::from(bodies::conversation(400, 80))];
    let wanted = Wanted::new()
        .root("processing", Slot::Contract)
        .root("text", Slot::Text)
        .root("mode", Slot::Mode);
    criterion.bench_function("decision/0.4KB/scan-text-contract-strip", |bencher| {
        bencher.iter(|| {
            let found = scan(&wanted, black_box(&body)).ok()?;
            let message = text::string(&body, &found.get(Slot::Text)?.span);
            let contract = text::slice(&body, &found.get(Slot::Contract)?.span);
            let inside = scan(&wanted, &contract).ok()?;
            let mode = text::string(&contract, &inside.get(Slot::Mode)?.span);
            Some((message, mode, edit::apply(&body, &edit::removal(&found.contract))))
        });
    });
    let policy = policy();
    let chunks = [message()];
    let target = route(Leg::Frontend, &Method::POST, Carries::Body, TARGET);
    let Some(target) = target else { return };
    let headers = request();
    criterion.bench_function("decision/0.4KB/inspect", |bencher| {
        bencher.iter(|| {
            policy.inspect(black_box(FLAGS), Leg::Frontend, &target, &headers, black_box(&chunks))
        });
    });
}

fn inspect(policy: &Policy, chunks: &[Bytes]) -> Verdict {
    match route(Leg::Frontend, &Method::POST, Carries::Body, TARGET) {
        Some(route) => policy.inspect(FLAGS, Leg::Frontend, &route, &request(), chunks),
        None => unreachable!("the target is a message's"),
    }
}

/// A message of 0.4 KB that asks for a mode and a profile.
fn message() -> Bytes {
    let mut body = bodies::conversation(400 - ",\"profile\":\"fast-v1\"".len(), 80);
    body.truncate(body.len() - 2);
    body.extend(b",\"profile\":\"fast-v1\"}}");
    Bytes::from(body)
}

/// A policy of two modes and a profile, half of all conversations in the canary cohort; the one here is a member.
fn policy() -> Policy {
    let names = ["default", "fast"].map(str::to_owned);
    let fast = Modes::new(names).and_then(|modes| Some((modes.find("fast")?, modes)));
    let Some((fast, modes)) = fast else { unreachable!("the names are modes'") };
    let profile = Profile::new("fast-v1".to_owned(), fast).map(Arc::new);
    let contract = Contract {
        field: "processing".to_owned(),
        modes,
        downgrade: Downgrade::Replace,
        body_limit: 1 << 20,
        runtime_body_limit: 1 << 20,
        profiles: profile
            .map(|profile| ("fast-v1".to_owned(), profile))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    };
    let canary = Canary {
        salt: "fast-mode/2027-01".to_owned(),
        share: Share::from_percent(50.0).unwrap_or(Share::NONE),
        keys: vec![KeySource::Room],
        allow: BTreeSet::new(),
        deny: BTreeSet::new(),
    };
    Policy::new(contract, canary)
}

/// The head of a request as a browser behind two proxies sends it.
fn request() -> HeaderMap {
    const HEAD: [(&str, &str); 16] = [
        ("host", "agent.example.org"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
        ("accept", "*/*"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("content-type", "application/json"),
        ("content-length", "400"),
        ("authorization", "Bearer 0191d5a0c0de4f738187667c5db19ae3"),
        ("origin", "https://agent.example.org"),
        ("referer", "https://agent.example.org/chat"),
        ("cookie", "session=0191d5a0c0de4f738187667c5db19ae3"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "0191d5a0-c0de-7f73-8187-667c5db19ae3"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=1"),
    ];
    HEAD.iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}
