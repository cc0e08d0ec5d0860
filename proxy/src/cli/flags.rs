//! `modegate flags`

use clap::{Args, Subcommand};
use http::Method;
use modegate_config::flags::Flag;
use serde_json::{Value, json};

use super::Failure;
use super::answer::{BREAKER_CLOSED, FLAG_CHANGED, FLAGS, Shape};
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
        match &self.command {
            FlagsCommand::List => {
                let answer = self.admin.call(Method::GET, "/flags", None, &FLAGS)?;
                match self.json {
                    true => println!("{answer}"),
                    false => print_list(&answer),
                }
                Ok(())
            }
            FlagsCommand::Set { flag, value, why, expires } => {
                let mut body = explained(why)?;
                body["value"] = json!(value);
                if let Some(expires) = expires {
                    body["expires"] = json!(expires);
                }
                let path = format!("/flags/{}", flag.name());
                let answer = self.change((Method::PUT, &path), body, &FLAG_CHANGED)?;
                self.is_so(*flag, *value, &answer)
            }
            FlagsCommand::Clear { flag, why } => {
                let path = format!("/flags/{}", flag.name());
                let answer =
                    self.change((Method::DELETE, &path), explained(why)?, &FLAG_CHANGED)?;
                self.say(&now(&answer));
                Ok(())
            }
            FlagsCommand::ResetBreaker { why } => {
                let call = (Method::DELETE, "/breaker");
                let answer = self.change(call, explained(why)?, &BREAKER_CLOSED)?;
                self.say(&format!("the breaker is closed ({})", generation(&answer)));
                Ok(())
            }
        }
    }

    fn change(
        &self,
        (method, path): (Method, &str),
        body: Value,
        shape: &Shape,
    ) -> Result<Value, Failure> {
        let answer = self.admin.call(method, path, Some(body), shape)?;
        if self.json {
            println!("{answer}");
        }
        Ok(answer)
    }

    /// Says what a flag is now that it was set, which may not be what was asked for, or nothing yet.
    fn is_so(&self, flag: Flag, asked: bool, answer: &Value) -> Result<(), Failure> {
        if answer["flag"] != flag.name() {
            return Err(Failure::Failed(format!("the answer is not about {}", flag.name())));
        }
        if answer["value"] == asked {
            let killed = asked && flag != Flag::Kill && !self.json && self.is_killed()?;
            let but = if killed { "; but kill is on, and goes before it" } else { "" };
            self.say(&format!("{}{but}", now(answer)));
            return Ok(());
        }
        let view = self.admin.call(Method::GET, "/flags", None, &FLAGS)?;
        let layer = view["flags"][flag.name()]["layer"].as_str().unwrap_or_default();
        let word = if asked { "on" } else { "off" };
        Err(Failure::Failed(format!(
            "{} was set {word} by hand, but {}: the layer {} says so",
            flag.name(),
            now(answer),
            layer.escape_debug()
        )))
    }

    fn is_killed(&self) -> Result<bool, Failure> {
        let view = self.admin.call(Method::GET, "/flags", None, &FLAGS)?;
        Ok(view["flags"]["kill"]["value"] == true)
    }

    fn say(&self, what: &str) {
        if !self.json {
            println!("{what}");
        }
    }
}

fn explained(why: &Why) -> Result<Value, Failure> {
    Ok(json!({ "actor": why.actor()?, "reason": why.reason }))
}

/// A flag as the answer to its change says it.
fn now(answer: &Value) -> String {
    let flag = answer["flag"].as_str().unwrap_or_default().escape_debug();
    format!("{flag} is {} ({})", on_off(&answer["value"]), generation(answer))
}

fn generation(answer: &Value) -> String {
    format!("generation {}", answer["generation"])
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
