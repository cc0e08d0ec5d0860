//! Clients that go on asking for fast mode, each in one new room after the other, on connections that
//! are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Address, Client, Request};

/// How many send at once. What they wait for is mostly the API server's own time: more would only
/// wait for one another.
pub const CLIENTS: usize = 12;
/// So many messages are enough for every test; then they stop by themselves.
const MOST: u64 = 200_000;

/// Traffic that goes on until it is stopped.
pub struct Traffic {
    clients: JoinSet<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    sent: AtomicU64,
    answered: AtomicU64,
    fast: AtomicU64,
    erred: AtomicU64,
}

/// What the clients were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// All of them.
    pub all: u64,
    /// Those that say that they were given fast mode.
    pub fast: u64,
    /// Those with 500.
    pub erred: u64,
}

impl Traffic {
    /// Begins; `round` tells one test's rooms from those of its traffic before.
    pub fn begin(address: &Address, round: &str) -> Traffic {
        let (mut clients, shared) = (JoinSet::new(), Arc::new(Shared::default()));
        for _ in 0..CLIENTS {
            let (address, shared) = (address.clone(), shared.clone());
            let round = round.to_owned();
            clients.spawn(async move {
                let mut client = Client::connect(&address).await;
                while !shared.ends.load(Relaxed) {
                    let number = shared.sent.fetch_add(1, Relaxed);
                    if number >= MOST {
                        return;
                    }
                    client.write(message(&round, number).bytes()).await;
                    shared.note(&client.response().await);
                }
            });
        }
        Traffic { clients, shared }
    }

    /// What was answered so far.
    pub fn answered(&self) -> Answered {
        let Shared { answered, fast, erred, .. } = &*self.shared;
        let [all, fast, erred] = [answered, fast, erred].map(|count| count.load(Relaxed));
        Answered { all, fast, erred }
    }

    /// Lets every client have its last answer; a client that failed fails the test.
    pub async fn end(mut self) -> Answered {
        self.shared.ends.store(true, Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client that was answered");
        }
        self.answered()
    }
}

impl Shared {
    fn note(&self, response: &crate::harness::Response) {
        let fast = response.header("x-processing-mode") == Some("fast");
        match response.status {
            200 => {}
            500 => _ = self.erred.fetch_add(1, Relaxed),
            _ => panic!("{}: {}", response.status, response.text()),
        }
        self.fast.fetch_add(u64::from(fast), Relaxed);
        self.answered.fetch_add(1, Relaxed);
    }
}

fn message(round: &str, number: u64) -> Request {
    let body = json!({
        "text": format!("message {number} of {round}, that nobody else sends"),
        "mode": "simple",
        "processing": { "mode": "fast" },
    });
    let target = format!("/api/conversations/{round}-{number}/messages/stream");
    Request::post(&target, body.to_string()).header("Accept", "text/event-stream")
}
