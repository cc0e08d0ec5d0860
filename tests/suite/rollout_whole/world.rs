//! A sidecar between its clients, an API server and a cloud, and what it says of its rollout.

use std::time::Duration;

use modegate_filters::rollout::incident::Incident;
use serde_json::{Value, json};

use super::origins::{Api, Does, cloud};
use super::traffic::Traffic;
use crate::harness::{Modegate, eventually_within, listener};
use crate::parity::serve::Server;

/// How long a whole rollout may take.
const PATIENCE: Duration = Duration::from_secs(80);

/// Phases that a rollout does not leave by itself.
const ENDS: [&str; 4] = ["done", "rolled_back", "failed", "held"];

/// One of them.
pub struct World {
    pub modegate: Modegate,
    pub api: Api,
    _cloud: Server,
}

impl World {
    /// With these settings, and an API server that does so with messages in fast mode and so with
    /// all others.
    pub async fn start(extra: &str, fast: Does, others: Does) -> World {
        let (api, cloud) = (Api::start(fast, others).await, cloud().await);
        let legs = [listener("frontend", &api.url()), listener("bridge", &cloud.url())];
        let modegate = Modegate::start(&format!("{extra}\n{}", legs.concat())).await;
        api.bridge().knows(modegate.bridge());
        World { modegate, api, _cloud: cloud }
    }

    /// Begins to send.
    pub fn traffic(&self, round: &str) -> Traffic {
        Traffic::begin(self.modegate.frontend(), round)
    }

    /// Sends until the API server saw so many in fast mode, or so many others where nothing is fast.
    pub async fn send(&self, round: &str, fast: u64, others: u64) {
        let (before, rest) = (self.api.fast().seen(), self.api.others().seen());
        let traffic = self.traffic(round);
        eventually_within(PATIENCE, "enough messages at the API server", async || {
            let enough = self.api.fast().seen() - before >= fast
                && self.api.others().seen() - rest >= others;
            enough.then_some(())
        })
        .await;
        traffic.end().await;
    }

    /// Starts the rollout.
    pub async fn start_rollout(&self) {
        let why = json!({ "actor": "suite", "reason": "a whole rollout" });
        let started = self.modegate.call("POST", "/rollout/start", Some(why)).await;
        assert_eq!(started.status, 200, "{}", started.text());
    }

    /// What `GET /rollout` says.
    pub async fn rollout(&self) -> Value {
        self.modegate.call("GET", "/rollout", None).await.json()
    }

    /// Waits until the rollout has ended in one way or another, and gives what it says then.
    pub async fn ended(&self) -> Value {
        eventually_within(PATIENCE, "the rollout's end", async || {
            let now = self.rollout().await;
            // Each look is a call; the process has others to serve.
            tokio::time::sleep(Duration::from_millis(50)).await;
            ENDS.iter().any(|end| now["phase"] == *end).then_some(now)
        })
        .await
    }

    /// The only incident, which its list, its document and its report say alike.
    pub async fn incident(&self) -> Incident {
        let listed = self.incidents().await;
        let [one] = listed.as_slice() else { panic!("not one incident: {listed:?}") };
        let id = one["id"].as_str().expect("an id");
        let whole = self.modegate.call("GET", &format!("/incidents/{id}.json"), None).await;
        assert_eq!(whole.status, 200, "{}", whole.text());
        let incident: Incident = serde_json::from_value(whole.json()).expect("an incident");
        let said = json!({
            "id": incident.id,
            "trigger": incident.trigger.word(),
            "severity": incident.severity,
            "stage": incident.stage,
            "opened": incident.opened,
            "safe": incident.safe,
        });
        for (member, said) in said.as_object().into_iter().flatten() {
            assert_eq!(&one[member], said, "{member}");
        }
        let told = self.modegate.call("GET", &format!("/incidents/{id}.md"), None).await;
        assert!(told.status == 200 && told.text().contains(id), "{}", told.text());
        incident
    }

    /// What `GET /incidents` lists.
    pub async fn incidents(&self) -> Vec<Value> {
        let listed = self.modegate.call("GET", "/incidents", None).await.json();
        listed["incidents"].as_array().cloned().expect("a list")
    }

    /// The sum of a rollout count over a cohort.
    pub async fn counted(&self, name: &str, cohort: &str) -> f64 {
        let name = format!("modegate_rollout_{name}_total");
        self.modegate.metrics().await.sum(&name, &[("cohort", cohort)])
    }

    /// The geometric mean of a cohort's times to the first event, in milliseconds.
    pub async fn first_event_ms(&self, cohort: &str) -> f64 {
        let (sum, firsts) =
            (self.counted("first_log_sum", cohort).await, self.counted("firsts", cohort).await);
        (sum / 1000.0 / firsts).exp() / 1000.0
    }
}
