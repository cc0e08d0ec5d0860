//! `modegate incidents`

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::Failure;
use super::answer::{INCIDENT, INCIDENTS};
use super::call::AdminArgs;

#[derive(Debug, Args)]
pub(super) struct IncidentsArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: IncidentsCommand,
}

#[derive(Debug, Subcommand)]
enum IncidentsCommand {
    /// List the incidents that were written down, the last first.
    List,
    /// Show one, as it was written down.
    Show {
        /// Its id, as `list` says it.
        id: String,
    },
}

impl IncidentsArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        match &self.command {
            IncidentsCommand::List => {
                let answer = self.admin.call(Method::GET, "/incidents", None, &INCIDENTS)?;
                match self.json {
                    true => println!("{answer}"),
                    false => print_list(&answer),
                }
            }
            IncidentsCommand::Show { id } if self.json => {
                let path = format!("/incidents/{id}.json");
                println!("{}", self.admin.call(Method::GET, &path, None, &INCIDENT)?);
            }
            IncidentsCommand::Show { id } => {
                print!("{}", self.admin.markdown(&format!("/incidents/{id}.md"))?);
            }
        }
        Ok(())
    }
}

fn print_list(answer: &Value) {
    println!("{:<34}{:<5}{:<22}STAGE", "ID", "SEV", "TRIGGER");
    for incident in answer["incidents"].as_array().into_iter().flatten() {
        let said =
            |key: &str| incident[key].as_str().unwrap_or_default().escape_debug().to_string();
        println!(
            "{:<34}{:<5}{:<22}{}",
            said("id"),
            format!("S{}", incident["severity"]),
            said("trigger"),
            said("stage")
        );
    }
}
