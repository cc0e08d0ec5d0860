//! `modegate flags`

use clap::{Args, Subcommand};
use http::Method;
use modegate_config::flags::Flag;
use serde_json::{Value, json};

use super::Failure;
use super::call::AdminArgs;
use super::why::Why;

#[derive(Debug, Args)]
pub(super) struct FlagsArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: FlagsCommand,
}

#[derive(Debug, Subcommand)]
enum FlagsCommand {
    /// Show every flag: its value, and which layer decided.
    List,
    /// Set a flag, from the next request on, until it expires.
    Set {
        /// contract, runtime, ui, cloud_enforced or kill.
        #[arg(value_parser = parse_flag)]
        flag: Flag,
        /// on or off.
        #[arg(value_parser = parse_value, action = clap::ArgAction::Set)]
        value: bool,
        #[command(flatten)]
        why: Why,
        /// For how long, such as 10m; without it, as long as the sidecar allows.
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
    },
    /// Take an override back.
    Clear {
        /// contract, runtime, ui, cloud_enforced or kill.
        #[arg(value_parser = parse_flag)]
        flag: Flag,
        #[command(flatten)]
        why: Why,
    },
    /// Close the breaker.
    ResetBreaker {
        #[command(flatten)]
        why: Why,
    },
}

impl FlagsArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (method, path, body) = match &self.command {
            FlagsCommand::List => (Method::GET, "/flags".to_owned(), None),
            FlagsCommand::Set { flag, value, why, expires } => {
                let (actor, reason) = (why.actor()?, &why.reason);
                let mut body = json!({ "value": value, "actor": actor, "reason": reason });
                if let Some(expires) = expires {
                    body["expires"] = json!(expires);
                }
                (Method::PUT, format!("/flags/{}", flag.name()), Some(body))
            }
            FlagsCommand::Clear { flag, why } => {
                let body = json!({ "actor": why.actor()?, "reason": why.reason });
                (Method::DELETE, format!("/flags/{}", flag.name()), Some(body))
            }
            FlagsCommand::ResetBreaker { why } => {
                let body = json!({ "actor": why.actor()?, "reason": why.reason });
                (Method::DELETE, "/breaker".to_owned(), Some(body))
            }
        };
        let answer = self.admin.call(method, &path, body)?;
        match (&self.command, self.json) {
            (_, true) => println!("{answer}"),
            (FlagsCommand::List, false) => print_list(&answer),
            (FlagsCommand::ResetBreaker { .. }, false) => {
                println!("the breaker is closed (generation {})", answer["generation"]);
            }
            (_, false) => println!(
                "{} is {} (generation {})",
                answer["flag"].as_str().unwrap_or_default(),
                on_off(&answer["value"]),
                answer["generation"],
            ),
        }
        Ok(())
    }
}

fn print_list(answer: &Value) {
    println!("generation {}", answer["generation"]);
    println!("{:<16}{:<7}{:<13}OVERRIDE", "FLAG", "VALUE", "LAYER");
    for flag in Flag::ALL {
        let view = &answer["flags"][flag.name()];
        let set = &view["layers"]["override"];
        let said = |key: &str| set[key].as_str().unwrap_or_default().escape_debug().to_string();
        let note = match set.is_object() {
            true => format!("{} by {}: {}", on_off(&set["value"]), said("actor"), said("reason")),
            false => String::new(),
        };
        let layer = view["layer"].as_str().unwrap_or_default();
        let line = format!("{:<16}{:<7}{:<13}{note}", flag.name(), on_off(&view["value"]), layer);
        println!("{}", line.trim_end());
    }
    for layer in ["document", "remote"] {
        let place = &answer["documents"][layer];
        if place["generation"].is_u64() {
            println!("{layer} generation {}", place["generation"]);
        }
        if place["lease_over"] == true {
            println!("{layer} lease over: fast mode is off");
        }
    }
    if let Some(cause) = answer["breaker"]["cause"].as_str() {
        println!("breaker open: {cause}");
    }
}

pub(super) fn on_off(value: &Value) -> &'static str {
    match value.as_bool() {
        Some(true) => "on",
        _ => "off",
    }
}

fn parse_flag(name: &str) -> Result<Flag, String> {
    Flag::from_name(name).ok_or_else(|| {
        let names = Flag::ALL.map(Flag::name);
        format!("allowed: {}", names.join(", "))
    })
}

pub(super) fn parse_value(word: &str) -> Result<bool, String> {
    match word {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("allowed: on, off".to_owned()),
    }
}
