//! The API server and the cloud of a rollout: what they do to messages in fast mode, and to all
//! others, is for the test to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Received;
use crate::parity::Message;
use crate::parity::api::{Call, answer, bridge_request};
use crate::parity::fault::{Fault, Treatment};
use crate::parity::serve::{Caller, Server, events, whole};

/// What the API server does with one arm's messages.
#[derive(Clone, Debug)]
pub struct Does {
    /// The first event comes so much later than it could.
    pub after: Duration,
    /// Of so many messages one is answered with 500; of 0 none.
    pub errs_of: u64,
    /// What becomes of it on its way to the bridge.
    pub fault: Fault,
}

impl Does {
    /// What is as it should be, after so long.
    pub fn after_ms(ms: u64) -> Does {
        Does { after: Duration::from_millis(ms), errs_of: 0, fault: Fault::None }
    }
}

/// What the API server saw of one arm.
#[derive(Debug, Default)]
pub struct Arm {
    seen: AtomicU64,
    erred: AtomicU64,
}

impl Arm {
    /// Messages that came.
    pub fn seen(&self) -> u64 {
        self.seen.load(Relaxed)
    }

    /// Of them those that were answered with 500.
    pub fn erred(&self) -> u64 {
        self.erred.load(Relaxed)
    }
}

/// A running API server.
pub struct Api {
    server: Server,
    inner: Arc<Inner>,
}

struct Inner {
    bridge: Caller,
    fast: (Does, Arm),
    others: (Does, Arm),
}

impl Api {
    /// One that does so with messages in fast mode, and so with all others.
    pub async fn start(fast: Does, others: Does) -> Api {
        let (fast, others) = ((fast, Arm::default()), (others, Arm::default()));
        let inner = Arc::new(Inner { bridge: Caller::default(), fast, others });
        let shared = inner.clone();
        let server = Server::start(move |received| {
            let inner = shared.clone();
            async move { inner.answer(&received).await }
        })
        .await;
        Api { server, inner }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Whom it asks.
    pub fn bridge(&self) -> &Caller {
        &self.inner.bridge
    }

    /// What it saw in fast mode.
    pub fn fast(&self) -> &Arm {
        &self.inner.fast.1
    }

    /// What it saw otherwise.
    pub fn others(&self) -> &Arm {
        &self.inner.others.1
    }
}

impl Inner {
    async fn answer(&self, received: &Received) -> Vec<u8> {
        let message = Message::read(received);
        let (does, arm) = if message.is_fast() { &self.fast } else { &self.others };
        let number = arm.seen.fetch_add(1, Relaxed) + 1;
        tokio::time::sleep(does.after).await;
        if does.errs_of > 0 && number.is_multiple_of(does.errs_of) {
            arm.erred.fetch_add(1, Relaxed);
            return whole("500 Internal Server Error", "application/json", r#"{"error":"no"}"#);
        }
        let treatment = Treatment::new(does.fault.clone());
        let (rpc_id, request) = bridge_request(&message, &treatment);
        let call = Call::of(rpc_id, &self.bridge.call(&request).await);
        answer(&message, &treatment, Some(&call))
    }
}

/// The cloud: it streams what it was told, and says which mode it applied.
pub async fn cloud() -> Server {
    Server::start(|received| async move {
        let body: Value = serde_json::from_slice(&received.body).expect("a body in JSON");
        assert!(received.target().ends_with("/stream"), "{}", received.target());
        let params = &body["params"];
        let mode = params["processing"]["mode"].as_str().unwrap_or("default");
        let connected = json!({ "rpcId": body["id"], "processing": { "mode": mode } });
        let connected = format!("event: connected\ndata: {connected}\n\n");
        let said = format!("[echo] {}", params["text"].as_str().unwrap_or_default());
        let chunk = format!("event: chunk\ndata: {}\n\n", json!({ "text": said }));
        let done = format!("event: done\ndata: {}\n\n", json!({ "rpcId": body["id"] }));
        events([connected.as_str(), &chunk, &done])
    })
    .await
}
