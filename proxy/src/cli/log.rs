//! `modegate log`

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::answer::LOG;
use super::call::AdminArgs;
use super::flags::{on_off, parse_value};
use super::why::Why;

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Show the level in force, the file's, and who set it otherwise.
    Show,
    /// Set the level, until it expires.
    Set {
        /// As log.level in the file: info, or info,modegate=debug.
        level: String,
        /// One line a request: on or off; without it, as in the file.
        #[arg(long, value_parser = parse_value, value_name = "on|off")]
        access: Option<bool>,
        #[command(flatten)]
        why: Why,
        /// For how long, such as 10m; without it, as long as the sidecar allows.
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
    },
    /// Take the override back.
    Clear {
        #[command(flatten)]
        why: Why,
    },
}

impl LogArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (method, body) = match &self.command {
            LogCommand::Show => (Method::GET, None),
            LogCommand::Set { level, access, why, expires } => {
                let mut body =
                    json!({ "level": level, "actor": why.actor()?, "reason": why.reason });
                if let Some(access) = access {
                    body["access"] = json!(access);
                }
                if let Some(expires) = expires {
                    body["expires"] = json!(expires);
                }
                (Method::PUT, Some(body))
            }
            LogCommand::Clear { why } => {
                (Method::DELETE, Some(json!({ "actor": why.actor()?, "reason": why.reason })))
            }
        };
        let answer = self.admin.call(method, "/log", body, &LOG)?;
        match self.json {
            true => println!("{answer}"),
            false => print(&answer),
        }
        Ok(())
    }
}

fn print(answer: &Value) {
    let levels =
        |said: &Value| format!("{}, access line {}", plain(said, "level"), on_off(&said["access"]));
    println!("now       {}", levels(answer));
    println!("file      {}", levels(&answer["file"]));
    let set = &answer["override"];
    if set.is_object() {
        println!("override  by {}: {}", plain(set, "actor"), plain(set, "reason"));
    }
}

fn plain(said: &Value, key: &str) -> String {
    said[key].as_str().unwrap_or_default().escape_debug().to_string()
}
