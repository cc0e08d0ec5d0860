//! The operator's own calls: flags through the admin API, and conversations as a client makes
//! them. Overrides that were set are remembered, so that they can be taken back.

use bytes::Bytes;
use http::Method;

use super::{CALL, Sidecar, WalkError, call, quoted};
use crate::demo::call::{Answer, Base};

/// How long an override lasts, should the walk not live to take it back.
const EXPIRES: &str = "10m";

/// An operator with a token.
pub struct Operator {
    admin: Base,
    authorization: String,
    overridden: Vec<&'static str>,
}

impl Operator {
    /// The operator of this sidecar.
    pub fn new(sidecar: &Sidecar) -> Operator {
        Operator {
            admin: Base::new(&sidecar.admin.to_string()),
            authorization: format!("Bearer {}", sidecar.token),
            overridden: Vec::new(),
        }
    }

    /// Overrides a flag.
    pub async fn set(
        &mut self,
        flag: &'static str,
        value: bool,
        reason: &str,
    ) -> Result<(), WalkError> {
        let reason = quoted(reason);
        let body = format!(
            r#"{{"value":{value},"actor":"demo","reason":{reason},"expires":"{EXPIRES}"}}"#
        );
        if !self.overridden.contains(&flag) {
            self.overridden.push(flag);
        }
        self.change(Method::PUT, flag, body).await
    }

    /// Takes every override back, the last first: a flag goes before the one it needs. The first
    /// failure is told, after all were tried.
    pub async fn clear(&mut self) -> Result<(), WalkError> {
        let mut cleared = Ok(());
        while let Some(flag) = self.overridden.pop() {
            let body = r#"{"actor":"demo","reason":"the walk is over"}"#.to_owned();
            cleared = cleared.and(self.change(Method::DELETE, flag, body).await);
        }
        cleared
    }

    /// Makes a conversation and gives its id.
    pub async fn new_conversation(&self, frontend: &Base) -> Result<String, WalkError> {
        let target = "/api/conversations";
        let answer = call(frontend, Method::POST, target, r#"{"title":"walk"}"#).await?;
        let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        let id = body.and_then(|body| body["conversation"]["id"].as_str().map(str::to_owned));
        id.ok_or_else(|| refused(format!("POST {target}"), &answer))
    }

    /// What became of mode and room between the legs.
    pub async fn parity(&self) -> Result<serde_json::Value, WalkError> {
        let answer = call(&self.admin, Method::GET, "/parity", "").await?;
        serde_json::from_slice(&answer.body).map_err(|_| refused("GET /parity".to_owned(), &answer))
    }

    async fn change(&self, method: Method, flag: &str, body: String) -> Result<(), WalkError> {
        let target = format!("/flags/{flag}");
        let what = format!("{method} {target} {body}");
        let failed = |error| WalkError::Call { what: what.clone(), error };
        let own = [("Authorization", &*self.authorization), ("Content-Type", "application/json")];
        let sent = self.admin.fetch(method, &target, &own, Bytes::from(body), CALL).await;
        let answer = Answer::read(sent.map_err(failed)?, CALL).await.map_err(failed)?;
        if !answer.status.is_success() {
            return Err(refused(what, &answer));
        }
        Ok(())
    }
}

fn refused(what: String, answer: &Answer) -> WalkError {
    WalkError::Refused { what, status: answer.status, body: answer.text() }
}
