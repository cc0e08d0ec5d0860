//! `modegate parity`

use std::time::Duration;

use clap::Args;
use http::Method;

use super::Failure;
use super::answer::PARITY;
use super::call::AdminArgs;
use crate::admin::parity_table;

#[derive(Debug, Args)]
pub(super) struct ParityArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    /// Show it again, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks of --watch.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

/// Clears the terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";
impl ParityArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        loop {
            let answer = self.admin.call(Method::GET, "/parity", None, &PARITY)?;
            let shown = match self.json {
                true => format!("{answer}\n"),
                false => parity_table(&answer),
            };
            if !self.watch {
                print!("{shown}");
                return Ok(());
            }
            let clear = if self.json { "" } else { CLEAR };
            print!("{clear}{shown}");
            std::thread::sleep(Duration::from_secs(self.every));
        }
    }
}
