//! The whole chain: a client, the process, and the servers between its legs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::api::{Api, Handled};
use super::cloud::{Cloud, runtime};
use super::fault::Treatment;
use super::message::Message;
use super::serve::Server;
use crate::harness::{Client, Modegate, Request, Response, eventually, listener};

/// A running chain.
pub struct Chain {
    pub modegate: Modegate,
    pub api: Api,
    pub cloud: Cloud,
    _runtime: Option<Server>,
}

impl Chain {
    /// Two legs: the cloud answers by itself.
    pub async fn start(
        extra: &str,
        treat: impl Fn(&Message) -> Treatment + Send + Sync + 'static,
    ) -> Chain {
        let (api, cloud) = (Api::start(treat).await, Cloud::start(|_| Treatment::default()).await);
        let legs = [listener("frontend", &api.url()), listener("bridge", &cloud.url())];
        let modegate = Modegate::start(&format!("{extra}\n{}", legs.concat())).await;
        api.bridge().knows(modegate.bridge());
        Chain { modegate, api, cloud, _runtime: None }
    }

    /// Three legs: the cloud sends on to the runtime.
    pub async fn of_three(
        extra: &str,
        treat: impl Fn(&Message) -> Treatment + Send + Sync + 'static,
        cloud: impl Fn(&Value) -> Treatment + Send + Sync + 'static,
    ) -> Chain {
        let (api, cloud) = (Api::start(treat).await, Cloud::start(cloud).await);
        let runtime = runtime().await;
        let legs = [("frontend", api.url()), ("bridge", cloud.url()), ("runtime", runtime.url())];
        let legs = legs.map(|(leg, url)| listener(leg, &url));
        let modegate = Modegate::start(&format!("{extra}\n{}", legs.concat())).await;
        api.bridge().knows(modegate.bridge());
        cloud.runtime().knows(modegate.runtime());
        Chain { modegate, api, cloud, _runtime: Some(runtime) }
    }

    /// Sends a message and gives what its client and the servers saw of it.
    pub async fn send(&self, say: &Say<'_>) -> (Response, Handled) {
        let response = Client::once(self.modegate.frontend(), say.request()).await;
        let handled = self.api.of(response.header("x-request-id").expect("an id"));
        (response, handled)
    }
}

/// A message, as a client of a route sends it.
#[derive(Clone, Copy, Debug)]
pub struct Say<'s> {
    pub route: &'s Route,
    pub conversation: &'s str,
    pub text: &'s str,
    /// The mode that it asks for.
    pub mode: Option<&'s str>,
}

impl Say<'_> {
    /// The request.
    pub fn request(&self) -> Request {
        let Route { target, streams, .. } = self.route;
        let mut body = match target.starts_with("/v1/") {
            false => json!({ "text": self.text, "mode": "simple" }),
            true => {
                let message = json!({ "role": "user", "content": self.text });
                json!({ "model": "m", "stream": streams, "messages": [message] })
            }
        };
        if let Some(mode) = self.mode {
            body["processing"] = json!({ "mode": mode });
        }
        let target = target.replace(":id", self.conversation);
        Request::post(&target, body.to_string()).header("X-User", "ann")
    }
}

/// A chat route.
#[derive(Debug)]
pub struct Route {
    pub target: &'static str,
    pub streams: bool,
}

/// All of them.
pub const ROUTES: [Route; 8] = [
    Route { target: "/api/conversations/:id/messages", streams: false },
    Route { target: "/api/conversations/:id/messages/stream", streams: true },
    Route { target: "/api/chat", streams: false },
    Route { target: "/api/chat/stream", streams: true },
    Route { target: "/v1/chat/completions", streams: false },
    Route { target: "/v1/chat/completions", streams: true },
    Route { target: "/v1/messages", streams: false },
    Route { target: "/v1/messages", streams: true },
];

/// How often each word of a metric was counted on a leg; what never was is left out, and so is what
/// answers say.
pub async fn counts(
    modegate: &Modegate,
    name: &str,
    leg: &str,
    label: &str,
) -> BTreeMap<String, u64> {
    let text = modegate.metrics().await.text;
    let of_leg = format!("leg=\"{leg}\"");
    let series = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')) && line.contains(&of_leg)
    });
    let counted = series.filter_map(|line| {
        let word = line.split(&format!("{label}=\"")).nth(1)?.split('"').next()?;
        let value: f64 = line.rsplit(' ').next()?.parse().ok()?;
        (value > 0.0 && !word.starts_with("ack_")).then(|| (word.to_owned(), value as u64))
    });
    counted.collect()
}

/// The verdicts that a leg gave.
pub async fn verdicts(modegate: &Modegate, leg: &str) -> BTreeMap<String, u64> {
    counts(modegate, "modegate_parity_total", leg, "verdict").await
}

/// Waits for the access line of a request on a leg.
pub async fn line(modegate: &Modegate, leg: &str, request_id: &str) -> Value {
    eventually(&format!("the line of {request_id} on {leg}"), async || {
        modegate
            .access_lines()
            .into_iter()
            .rev()
            .find(|line| line["leg"] == leg && line["request_id"] == request_id)
    })
    .await
}

/// What a line says of parity: verdict, means, and the request of the leg before.
pub fn said(line: &Value) -> [&str; 3] {
    ["parity", "joined_by", "joined"].map(|field| line[field].as_str().unwrap_or("-"))
}
