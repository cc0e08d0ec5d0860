//! `modegate rollout start`, `rollback` and the other orders.

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::show::status;
use crate::cli::Failure;
use crate::cli::answer::ROLLOUT_OPEN;
use crate::cli::call::AdminArgs;
use crate::cli::why::Why;

#[derive(Debug, Args)]
pub(super) struct OrderArgs {
    #[command(flatten)]
    why: Why,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl OrderArgs {
    pub(super) fn run(self, admin: &AdminArgs, verb: &str) -> Result<(), Failure> {
        self.send(admin, verb, json!({ "actor": self.why.actor()?, "reason": self.why.reason }))
    }

    fn send(&self, admin: &AdminArgs, verb: &str, body: Value) -> Result<(), Failure> {
        let path = format!("/rollout/{verb}");
        answer(&admin.call(Method::POST, &path, Some(body), &ROLLOUT_OPEN)?, self.json);
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    order: OrderArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct How {
    /// Runtime and toggle off, nobody in the canary; the contract stays.
    #[arg(long)]
    soft: bool,
    /// Everything removed everywhere.
    #[arg(long)]
    hard: bool,
}

impl RollbackArgs {
    pub(super) fn run(self, admin: &AdminArgs) -> Result<(), Failure> {
        let why = &self.order.why;
        let body = json!({ "actor": why.actor()?, "reason": why.reason, "hard": self.how.hard });
        self.order.send(admin, "rollback", body)
    }
}

#[derive(Debug, Args)]
pub(super) struct SignalArgs {
    /// What it says.
    #[arg(value_enum)]
    verdict: SignalVerdict,
    /// Who says it.
    #[arg(long)]
    source: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Where the evidence is.
    #[arg(long, value_name = "URL")]
    evidence: Option<String>,
    /// For how long an attestation is good, such as 24h.
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SignalVerdict {
    /// An answer was severely wrong or unsafe: rolls back.
    Severe,
    /// Quality was looked at and is good: stands in for the quality gate until it expires.
    Attested,
}

impl SignalArgs {
    pub(super) fn run(self, admin: &AdminArgs) -> Result<(), Failure> {
        let verdict = match self.verdict {
            SignalVerdict::Severe => "severe",
            SignalVerdict::Attested => "attested",
        };
        let body = json!({
            "verdict": verdict,
            "source": self.source,
            "reason": self.reason,
            "evidence": self.evidence,
            "expires": self.expires,
        });
        let said = admin.call(Method::POST, "/rollout/signals", Some(body), &ROLLOUT_OPEN)?;
        answer(&said, self.json);
        Ok(())
    }
}

fn answer(answer: &Value, as_json: bool) {
    match as_json {
        true => println!("{answer}"),
        false => print!("{}", status(answer)),
    }
}
