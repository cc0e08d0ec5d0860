//! Calls to the admin API.

use serde_json::{Value, json};

use super::client::{Client, Request, Response};
use super::modegate::{Modegate, TOKEN};

impl Modegate {
    /// A call with the bearer token.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let mut request = Request::new(method, path)
            .header("Host", "localhost")
            .only_last("Host")
            .header("Authorization", &format!("Bearer {TOKEN}"));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        Client::once(self.admin(), request).await
    }

    /// Sets a flag, for as long as an override may last.
    pub async fn set_flag(&self, flag: &str, value: bool) -> Response {
        let body = json!({ "value": value, "actor": "suite", "reason": "a test" });
        self.call("PUT", &format!("/flags/{flag}"), Some(body)).await
    }

    /// Sets a flag that must be possible to set.
    pub async fn flag(&self, flag: &str, value: bool) {
        let response = self.set_flag(flag, value).await;
        assert_eq!(response.status, 200, "{flag}: {}", response.text());
    }

    /// What `GET /flags` says.
    pub async fn flags(&self) -> Value {
        self.call("GET", "/flags", None).await.json()
    }
}
