//! The calls that change what is logged.

use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;

use super::answer::{Answer, json, refuse};
use super::{mutate, view};
use crate::flags::Refusal;
use crate::logging::Levels;

/// The body of a call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    level: Option<String>,
    access: Option<bool>,
    actor: String,
    reason: String,
    expires: Option<String>,
}

impl Call {
    /// Reads a call's body.
    pub async fn read(body: Incoming) -> Result<Call, Answer> {
        mutate::read(body, r#"{"level","access"?,"actor","reason","expires"?}"#).await
    }

    /// Whether it says something of the access line.
    pub fn is_of_access(&self) -> bool {
        self.access.is_some()
    }

    /// Sets the level, and the access line where the call says so.
    pub fn set(&self, levels: &Levels, limit: Duration) -> Answer {
        let Some(level) = &self.level else {
            return refuse(StatusCode::BAD_REQUEST, "level must be a string");
        };
        let level = match modegate_config::read_level(level) {
            Ok(level) => level,
            Err(report) => return refuse(StatusCode::BAD_REQUEST, &in_one_line(&report)),
        };
        let lasts = mutate::lasts(self.expires.as_deref(), limit);
        let set = |lasts| levels.set((&level, self.access), self.by(), lasts, limit);
        done(levels, lasts.and_then(set))
    }

    /// Takes the override back.
    pub fn clear(&self, levels: &Levels) -> Answer {
        done(levels, levels.clear(self.by()))
    }

    fn by(&self) -> (&str, &str) {
        (&self.actor, &self.reason)
    }
}

fn in_one_line(report: &modegate_config::Report) -> String {
    let shown = |fault: &modegate_config::Invalid| {
        format!("{}: found: {}; allowed: {}", fault.path, fault.found, fault.allowed)
    };
    report.faults().iter().map(shown).collect::<Vec<_>>().join("; ")
}

/// What is logged now.
fn done(levels: &Levels, changed: Result<(), Refusal>) -> Answer {
    match changed {
        Ok(()) => json(StatusCode::OK, &view::log(&levels.view())),
        Err(refusal) => mutate::refused(&refusal),
    }
}
