//! `modegate rollout status` and `explain`: what a rollout is at, as a person reads it.

use std::fmt::Write;

use clap::Args;
use http::Method;
use modegate_filters::rollout::plan::Gate;
use modegate_filters::rollout::report::printable;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::answer::ROLLOUT;
use crate::cli::call::AdminArgs;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    pub(super) fn run(self, admin: &AdminArgs) -> Result<(), Failure> {
        let answer = admin.call(Method::GET, "/rollout", None, &ROLLOUT)?;
        match self.json {
            true => println!("{answer}"),
            false => print!("{}", status(&answer)),
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// parity, errors, latency, tail, quality or data.
    #[arg(value_parser = parse_gate)]
    gate: Gate,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(super) fn run(self, admin: &AdminArgs) -> Result<(), Failure> {
        gate(&admin.call(Method::GET, "/rollout", None, &ROLLOUT)?, self.gate, self.json)
    }
}

fn parse_gate(name: &str) -> Result<Gate, String> {
    Gate::from_name(name).ok_or_else(|| {
        let names = Gate::ALL.map(Gate::name);
        format!("allowed: {}", names.join(", "))
    })
}

/// The answer of `GET /rollout` as lines.
pub(super) fn status(answer: &Value) -> String {
    let said = |value: &Value| plain(value);
    if answer["phase"].is_null() {
        return format!(
            "{}: not open here: {}\n",
            said(&answer["rollout"]),
            said(&answer["fault"])
        );
    }
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: {} in stage {} ({} of {})",
        said(&answer["rollout"]),
        said(&answer["phase"]),
        said(&answer["stage"]["name"]),
        answer["stage"]["number"],
        answer["stage"]["of"],
    );
    let desired = &answer["desired"];
    let _ = writeln!(
        out,
        "document {}: contract {}, runtime {}, ui {}, cloud_enforced {}, kill {}, {} %",
        desired["generation"],
        on_off(&desired["flags"]["contract"]),
        on_off(&desired["flags"]["runtime"]),
        on_off(&desired["flags"]["ui"]),
        on_off(&desired["flags"]["cloud_enforced"]),
        on_off(&desired["flags"]["kill"]),
        answer["percent"],
    );
    if !answer["why"].is_null() {
        let _ = writeln!(out, "because: {}", said(&answer["why"]));
    }
    for gate in answer["gates"].as_array().into_iter().flatten() {
        let _ = writeln!(
            out,
            "  {:<9}{:<14}{}",
            said(&gate["gate"]),
            said(&gate["verdict"]),
            said(&gate["why"])
        );
    }
    for instance in answer["instances"].as_array().into_iter().flatten() {
        let breaker = instance["breaker"]
            .as_str()
            .map_or(String::new(), |cause| format!(", breaker open: {}", cause.escape_debug()));
        let _ = writeln!(
            out,
            "  {} {} with document {}{breaker}",
            said(&instance["name"]),
            if instance["up"] == true { "up" } else { "down" },
            instance["generation"],
        );
    }
    if let Some(why) = answer["blind"].as_str() {
        let _ = writeln!(out, "sees nothing: {}", why.escape_debug());
    }
    if let Some(fault) = answer["fault"].as_str() {
        let _ = writeln!(out, "fault: {}", fault.escape_debug());
    }
    if let Some(incident) = answer["incident"].as_str() {
        let _ = writeln!(out, "incident: {}", incident.escape_debug());
    }
    if let Some(next) = answer["next"].as_str() {
        let _ = writeln!(out, "next: {}", next.escape_debug());
    }
    out
}

/// One gate in full; fails where it failed.
fn gate(answer: &Value, gate: Gate, as_json: bool) -> Result<(), Failure> {
    let mut gates = answer["gates"].as_array().into_iter().flatten();
    let Some(report) = gates.find(|report| report["gate"] == gate.name()) else {
        let why = format!("{} was not looked at in this stage", gate.name());
        return Err(Failure::Failed(why));
    };
    match as_json {
        true => println!("{report}"),
        false => {
            println!("{}: {}", gate.name(), plain(&report["verdict"]));
            println!("{}", plain(&report["why"]));
            for (name, value) in report["observed"].as_object().into_iter().flatten() {
                if !value.is_null() {
                    println!("  {:<16}{value}", name.escape_debug().to_string());
                }
            }
        }
    }
    match report["verdict"] == "fail" {
        true => Err(Failure::Failed(format!("{} fails", gate.name()))),
        false => Ok(()),
    }
}

fn plain(value: &Value) -> String {
    printable(value.as_str().unwrap_or_default())
}

fn on_off(value: &Value) -> &'static str {
    if value == true { "on" } else { "off" }
}
