//! Chaos: 64 clients at once, over networks that fail on either side of the process. Whatever
//! happens, no answer is another's, none that was cut looks whole, nothing arrives twice, and
//! afterwards nothing is left of it (case 83).
//!
//! A few rounds run in every `make test`; with `SOAK_SECONDS` set (`make soak`) as many as fit.

mod ask;
mod client;
mod field;
mod figures;
mod origin;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;

use ask::Ask;
use client::{Protocol, Seen, Session, Why};
use field::{Field, LEGS, Side};
use figures::{Figures, Report};

use crate::harness::{Fault, within_time};

const CLIENTS: u64 = 64;
/// What they speak, in turn.
const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];
const SEED: u64 = 83;

/// Rounds of a run that has no time of its own.
const ROUNDS: usize = 4;

/// Every fault on either side.
const NETWORKS: usize = 2 * Fault::ALL.len();
/// Connections of a client in a round: half of the networks, so that two rounds see all.
const CONNECTIONS: usize = NETWORKS / 2;
/// Requests on a connection, where they all go well.
const REQUESTS: usize = 3;

/// The most that memory may grow after the second round, in KiB.
const GROWTH: usize = 24 * 1024;

/// Deadlines short enough that silence does not last.
const HASTY: &str = "[timeouts]\nheader = \"600ms\"\nbody = \"600ms\"\nconnect = \"600ms\"\n\
     first_byte = \"600ms\"\nidle = \"600ms\"\nstream_idle = \"600ms\"\nkeep_alive = \"600ms\"\n\
     pool_idle = \"300ms\"\n[log]\naccess = false\n[upstream]\nhealth_interval = \"off\"\n\
     [server]\nthreads = 2\n";
const PATIENT: &str = "[timeouts]\npool_idle = \"300ms\"\n[log]\naccess = false\n\
     [upstream]\nhealth_interval = \"off\"\n[server]\nthreads = 2\n";

/// What the process itself says when a network fails.
const REFUSALS: [u16; 4] = [400, 408, 502, 504];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_loses_nothing_breaks_nothing() {
    let field = Arc::new(Field::start(PATIENT, SEED).await);
    let networks: Vec<usize> = (0..NETWORKS).filter(|at| network(*at).0.is_lossless()).collect();
    let connections = networks.len();
    let load = Round { networks, connections, patience: Duration::from_secs(30) };
    let figures = within_time(Duration::from_secs(90), "the round", load.run(&field, SEED)).await;
    assert_right(&field, &figures, SEED);
    let kinds: Vec<_> = figures.seen.keys().collect();
    assert_eq!(kinds, ["200, whole"], "seed {SEED}: {:?}", figures.seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_no_answer_is_wrong_and_nothing_is_left() {
    let time = std::env::var("SOAK_SECONDS").ok();
    let time = time.map(|seconds| Duration::from_secs(seconds.parse().expect("SOAK_SECONDS")));
    let begun = Instant::now();
    let field = Arc::new(Field::start(HASTY, SEED).await);
    // Once every thread and listener is up.
    field.heal(true);
    assert_serves(&field, 0).await;
    field.heal(false);
    let start = field.at_rest(usize::MAX).await;
    let (mut figures, mut rests) = (Figures::default(), Vec::new());
    let goes_on = |rounds: usize| match time {
        Some(time) => rounds < ROUNDS || begun.elapsed() < time,
        None => rounds < ROUNDS,
    };
    while goes_on(rests.len()) {
        let seed = SEED + rests.len() as u64;
        let networks = (0..NETWORKS).collect();
        let load =
            Round { networks, connections: CONNECTIONS, patience: Duration::from_millis(900) };
        figures.add(within_time(Duration::from_secs(90), "a round", load.run(&field, seed)).await);
        assert_right(&field, &figures, seed);
        // What is silent ends by the process's own deadlines, the slowest of them in ten seconds:
        // that long is waited now and then, and at last.
        if goes_on(rests.len() + 1) && (rests.len() + 1) % 10 != 0 {
            field.hang_up();
        }
        rests.push(field.at_rest(start.descriptors).await);
        // Nothing of the faults is left on this side either: every network serves again.
        field.heal(true);
        assert_serves(&field, seed).await;
        field.at_rest(start.descriptors).await;
        field.heal(false);
    }
    let rounds = rests.len();
    println!(
        "{}",
        Report { figures: &figures, field: &field, rounds, seed: SEED, start, rests: &rests }
    );
    for (place, tally) in [("before", &field.before), ("behind", &field.behind)] {
        for (fault, count) in tally.counts() {
            assert!(count > 0, "{fault:?} was never injected {place} the process");
        }
    }
    let cells = PROTOCOLS.len() * NETWORKS * 4;
    assert_eq!(figures.cells.len(), cells, "cells of the grid: {:?}", figures.cells);
    let growth = rests[rounds - 1].memory.saturating_sub(rests[1].memory);
    assert!(growth < GROWTH, "memory grew by {growth} KiB from round 2 to round {rounds}");
}

fn network(at: usize) -> (Fault, Side) {
    let side = if at < Fault::ALL.len() { Side::Client } else { Side::Origin };
    (Fault::ALL[at % Fault::ALL.len()], side)
}

fn assert_right(field: &Field, figures: &Figures, seed: u64) {
    let wrong = field.origin.ledger(|ledger| std::mem::take(&mut ledger.wrong));
    assert!(wrong.is_empty(), "seed {seed}, at the origin: {wrong:#?}");
    assert!(figures.wrong.is_empty(), "seed {seed}, at the clients: {:#?}", figures.wrong);
}

/// A clean request on a new connection, through every network and to every leg.
async fn assert_serves(field: &Arc<Field>, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut numbers = (0..).map(|request| number(seed, CLIENTS, request));
    for leg in LEGS {
        let ways = (0..NETWORKS).map(|at| field.through(at % Fault::ALL.len(), network(at).1, leg));
        for address in std::iter::once(field.clean(leg)).chain(ways) {
            for protocol in PROTOCOLS {
                let session = Session::open(protocol, address).await.expect("a connection");
                let ask = Ask::draw(leg, numbers.next().expect("one more"), &mut rng);
                let (seen, _) = session.ask(&ask, Duration::from_secs(10)).await;
                let whole = matches!(seen, Seen::Whole { status: 200, .. });
                assert!(whole && judge(&ask, &seen).is_none(), "seed {seed}, {leg}: {seen:?}");
            }
        }
    }
}

/// The number of a client's request: no two of a run are the same, and with the seed each is again.
fn number(seed: u64, client: u64, request: u64) -> u64 {
    assert!(client < 1 << 8 && request < 1 << 8, "they have a byte each");
    seed << 16 | client << 8 | request
}

/// What 64 clients do in a round.
struct Round {
    networks: Vec<usize>,
    connections: usize,
    patience: Duration,
}

impl Round {
    async fn run(self, field: &Arc<Field>, seed: u64) -> Figures {
        let (load, mut clients) = (Arc::new(self), JoinSet::new());
        for client in 0..CLIENTS {
            let (load, field) = (load.clone(), field.clone());
            clients.spawn(async move { load.client(&field, seed, client).await });
        }
        let mut figures = Figures::default();
        while let Some(client) = clients.join_next().await {
            figures.add(client.expect("a client that did not panic"));
        }
        figures
    }

    /// One client: connection after connection, each over another network.
    async fn client(&self, field: &Field, seed: u64, client: u64) -> Figures {
        let mut figures = Figures::default();
        let protocol = PROTOCOLS[client as usize % PROTOCOLS.len()];
        let mut numbers = (0..).map(|request| number(seed, client, request));
        // Five has no divisor in common with the networks: the clients spread over all of them.
        let first = client as usize * 5 + seed as usize * self.connections;
        for connection in 0..self.connections {
            let at = self.networks[(first + connection) % self.networks.len()];
            let (fault, side) = network(at);
            // Of its own: what is drawn does not hang on how the connections before it went.
            let mut rng = Rng::with_seed(number(seed, client, connection as u64));
            let leg = LEGS[rng.usize(..LEGS.len())];
            let address = field.through(at % Fault::ALL.len(), side, leg);
            let mut session = Session::open(protocol, address).await;
            if session.is_none() {
                figures.count(&Seen::Nothing(Why::Unconnected));
            }
            for _ in 0..REQUESTS {
                let Some(open) = session else { break };
                let ask = Ask::draw(leg, numbers.next().expect("one more"), &mut rng);
                let (seen, rest) = open.ask(&ask, self.patience).await;
                figures.count(&seen);
                figures.cells.insert((protocol, fault, side, ask.load()));
                let wrong = judge(&ask, &seen);
                figures.wrong.extend(wrong.map(|what| format!("{fault:?}, {side:?}: {what}")));
                session = rest;
            }
        }
        figures
    }
}

/// What is wrong with what a client saw.
fn judge(ask: &Ask, seen: &Seen) -> Option<String> {
    let expected = || ask.answer().concat().into_bytes();
    let right = match seen {
        Seen::Nothing(_) => true,
        Seen::Whole { status: 200, id, head, body } => {
            id.as_ref() == Some(&ask.id) && ask.owns(head) && *body == expected()
        }
        Seen::Whole { status, id, head, body } => {
            REFUSALS.contains(status)
                && id.as_ref().is_none_or(|id| *id == ask.id)
                && ask.owns(head)
                && ask.owns(body)
        }
        Seen::Cut { status, head, body } => {
            let whole = *status == 200 && expected().starts_with(body);
            ask.owns(head) && (whole || REFUSALS.contains(status))
        }
    };
    (!right).then(|| match seen {
        Seen::Whole { body, .. } | Seen::Cut { body, .. } => {
            let (own, expected) = (ask.owns(body), expected().len());
            let short = String::from_utf8_lossy(&body[..body.len().min(300)]);
            let kind = matches!(seen, Seen::Whole { .. });
            format!(
                "{ask:?}: whole: {kind}, {} of {expected} bytes, own: {own}: {short}",
                body.len()
            )
        }
        Seen::Nothing(_) => unreachable!("it cannot be wrong"),
    })
}
