//! Clients that send at once, each one message after the other, and what is seen of it afterwards.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{Client, Modegate, Request, eventually_within};
use crate::parity::api::Handled;
use crate::parity::chain::{Chain, counts, verdicts};

/// The settings' window: long enough for a machine that is busy.
pub const WINDOW: &str = "[parity]\nwindow = \"5m\"\n";

/// How long the last of many requests may take to be counted.
const SETTLING: Duration = Duration::from_secs(60);

/// A request, and what its message says: the cloud echoes it.
pub struct Sends {
    pub request: Request,
    pub says: String,
}

/// Sends all of it, each lane by a client of its own.
pub async fn send(chain: &Chain, lanes: Vec<Vec<Sends>>) {
    let mut clients = JoinSet::new();
    for lane in lanes {
        let address = chain.modegate.frontend().clone();
        clients.spawn(async move {
            let mut client = Client::connect(&address).await;
            for Sends { request, says } in lane {
                client.write(request.bytes()).await;
                let response = client.response().await;
                let text = response.text();
                assert_eq!(response.status, 200, "{text}");
                assert!(text.contains(&format!("\"[echo] {says}\"")), "{says}: {text}");
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client that was answered");
    }
}

/// Ends the window: what is left in the table then is unclaimed, and counted so.
async fn all_claimed(modegate: &Modegate) {
    let text = std::fs::read_to_string(modegate.file()).expect("the file");
    assert!(text.contains(WINDOW), "{text}");
    let text = text.replace(WINDOW, "[parity]\nwindow = \"1ms\"\n");
    std::fs::write(modegate.file(), text).expect("a new file");
    modegate.counted("modegate_parity_records", &[("leg", "frontend")], 0.0).await;
}

/// What the process wrote and counted.
pub struct Seen {
    lines: Vec<Value>,
    /// The bridge leg's.
    pub verdicts: BTreeMap<String, u64>,
    /// What its requests were found by.
    pub means: BTreeMap<String, u64>,
    /// The frontend leg's records that nobody claimed.
    pub unclaimed: BTreeMap<String, u64>,
}

impl Seen {
    /// Waits until so many requests were counted, and ends the chain: then every line is written.
    pub async fn after(mut chain: Chain, requests: usize) -> (Vec<Handled>, Seen) {
        let modegate = &mut chain.modegate;
        eventually_within(SETTLING, "all requests to be counted", async || {
            let counted = modegate.metrics().await.sum("modegate_requests_total", &[]);
            (counted > requests as f64 - 0.5).then_some(())
        })
        .await;
        let metrics = modegate.metrics().await;
        for name in ["modegate_log_lines_dropped_total", "modegate_parity_dropped_total"] {
            assert!(metrics.sum(name, &[]) < 0.5, "{name}");
        }
        all_claimed(modegate).await;
        let verdicts_seen = verdicts(modegate, "bridge").await;
        let means = counts(modegate, "modegate_parity_joins_total", "bridge", "means").await;
        let unclaimed = verdicts(modegate, "frontend").await;
        assert_eq!(modegate.terminate().await, Some(0));
        modegate.log_ended().await;
        let lines = modegate.access_lines();
        let seen = Seen { lines, verdicts: verdicts_seen, means, unclaimed };
        (chain.api.handled(), seen)
    }

    /// A leg's access lines by request id.
    pub fn of_leg(&self, leg: &str) -> HashMap<&str, &Value> {
        let lines = self.lines.iter().filter(|line| line["leg"] == leg);
        lines.filter_map(|line| Some((line["request_id"].as_str()?, line))).collect()
    }
}
