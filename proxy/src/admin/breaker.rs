//! The call that closes the breaker.

use http::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;

use super::answer::{Answer, json};
use super::mutate::{read, refused};
use crate::flags::Store;

/// The call's body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    actor: String,
    reason: String,
}

impl Call {
    /// Reads a call's body.
    pub async fn read(body: Incoming) -> Result<Call, Answer> {
        read(body, r#"{"actor","reason"}"#).await
    }

    /// Closes the breaker.
    pub fn reset(&self, store: &Store) -> Answer {
        match store.reset_breaker((&self.actor, &self.reason)) {
            Err(refusal) => refused(&refusal),
            Ok(snapshot) => {
                let (actor, reason, generation) = (&self.actor, &self.reason, snapshot.generation);
                tracing::warn!(%actor, %reason, generation, "breaker closed");
                let answer = serde_json::json!({ "breaker": null, "generation": generation });
                json(StatusCode::OK, &answer)
            }
        }
    }
}
