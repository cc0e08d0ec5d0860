//! Flags flipped under load: every request is the work of exactly one snapshot, and of one that
//! was in force while the request was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use serde_json::Value;

use crate::control_process::{CANARY, DOWNGRADED, FAST, ROUTE, STRIPPED};
use crate::harness::{Address, Client, Modegate, Origin, Request, eventually, settings};

const CLIENTS: usize = 6;
const ROUNDS: usize = 3;

/// The order in which flags change; the rules allow each step. The first state is all off.
const ROUND: [(&str, bool); 8] = [
    ("contract", true),
    ("runtime", true),
    ("kill", true),
    ("kill", false),
    ("runtime", false),
    ("kill", true),
    ("contract", false),
    ("kill", false),
];

/// What a state of the flags makes of a message, as a word.
fn fate(flags: &BTreeMap<&str, bool>) -> &'static str {
    let on = |flag| flags.get(flag).copied().unwrap_or_default();
    match (on("kill") || !on("contract"), on("runtime")) {
        (true, _) => "stripped",
        (false, false) => "downgraded",
        (false, true) => "fast",
    }
}

/// One request as its client saw it.
struct Sent {
    id: String,
    response_mode: Option<String>,
    response_body: String,
    /// The last generation that was known to be in force before, and the newest that can have
    /// been in force after.
    bounds: (u64, u64),
}

struct Leg {
    address: Address,
    target: &'static str,
    wrap: fn(&str) -> String,
}

async fn client(
    number: usize,
    leg: Leg,
    known: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Vec<Sent> {
    let mut client = Client::connect(&leg.address).await;
    let mut sent = Vec::new();
    while !stop.load(Relaxed) {
        let id = format!("client-{number}-{}", sent.len());
        let mut request = Request::post(leg.target, (leg.wrap)(FAST)).header("X-Request-Id", &id);
        if number % 2 == 1 {
            request = request.chunked(7);
        }
        let before = known.load(Relaxed);
        let response = client.exchange(&request).await;
        // A change that is made and not yet answered may be in force already.
        let bounds = (before, known.load(Relaxed) + 1);
        assert_eq!(response.status, 200, "{}", response.text());
        sent.push(Sent {
            id,
            response_mode: response.header("x-processing-mode").map(str::to_owned),
            response_body: response.text(),
            bounds,
        });
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_sees_exactly_one_generation() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let (known, stop) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
    let chat: fn(&str) -> String = str::to_owned;
    let rpc: fn(&str) -> String = |text| {
        let params = text.replacen('{', r#"{"roomId":"c1","#, 1);
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"message.send","params":{params}}}"#)
    };
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let leg = match number % 3 {
                0 => Leg { address: modegate.frontend().clone(), target: ROUTE, wrap: chat },
                1 => Leg {
                    address: modegate.bridge().clone(),
                    target: "/api/v1/milady/agents/a/bridge",
                    wrap: rpc,
                },
                _ => Leg { address: modegate.runtime().clone(), target: "/bridge", wrap: rpc },
            };
            tokio::spawn(client(number, leg, known.clone(), stop.clone()))
        })
        .collect();

    let mut state = BTreeMap::new();
    let mut fates = BTreeMap::from([(1, fate(&state))]);
    for (flag, value) in ROUND.into_iter().cycle().take(ROUNDS * ROUND.len()) {
        let seen = origin.requests();
        eventually("requests under these flags", async || {
            (origin.requests() >= seen + 2 * CLIENTS).then_some(())
        })
        .await;
        let response = modegate.set_flag(flag, value).await;
        assert_eq!(response.status, 200, "{flag} = {value}: {}", response.text());
        let generation = response.json()["generation"].as_u64().expect("a generation");
        known.store(generation, Relaxed);
        state.insert(flag, value);
        fates.insert(generation, fate(&state));
    }
    stop.store(true, Relaxed);
    let mut sent = Vec::new();
    for client in clients {
        sent.extend(client.await.expect("a client"));
    }

    let received: BTreeMap<String, _> = origin
        .received()
        .into_iter()
        .map(|received| (received.header("x-request-id").expect("an id").to_owned(), received))
        .collect();
    let lines: BTreeMap<String, Value> = modegate
        .access(sent.len())
        .await
        .into_iter()
        .map(|line| (line["request_id"].as_str().expect("an id").to_owned(), line))
        .collect();
    assert_eq!((received.len(), lines.len()), (sent.len(), sent.len()), "each exactly once");

    let mut occurred = BTreeMap::<&str, usize>::new();
    for Sent { id, response_mode, response_body, bounds } in &sent {
        let (received, line) = (&received[id], &lines[id]);
        let generation = line["generation"].as_u64().expect("a generation");
        let fate = *fates.get(&generation).expect("a generation of ours");
        *occurred.entry(fate).or_default() += 1;
        let (body, mode) = match fate {
            "fast" => (FAST, "fast"),
            "downgraded" => (DOWNGRADED, "default"),
            _ => (STRIPPED, "default"),
        };
        let body = if line["leg"] == "frontend" { chat(body) } else { rpc(body) };
        assert_eq!(received.text(), body, "{id} in {generation}");
        assert_eq!(response_body, &body, "{id} in {generation}");
        assert_eq!(received.header("x-processing-mode"), Some(mode), "{id} in {generation}");
        assert_eq!(received.header("x-processing-requested"), Some("fast"), "{id}");
        assert_eq!(received.header("x-processing-cohort"), Some("canary"), "{id}");
        assert_eq!(response_mode.as_deref(), Some(mode), "{id} in {generation}");
        assert_eq!(line["mode"], mode, "{id} in {generation}");
        let (least, most) = *bounds;
        assert!((least..=most).contains(&generation), "{id}: {generation} not in {bounds:?}");
    }
    assert_eq!(occurred.len(), 3, "every fate occurred: {occurred:?}");
}
