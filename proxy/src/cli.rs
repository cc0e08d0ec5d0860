//! The command line.
//!
//! Exit codes: 0 well, 1 the thing asked about failed, 2 usage or configuration, 3 timeout or
//! unreachable.

#[macro_use]
mod print;

mod answer;
mod bucket;
mod call;
mod check;
mod compare;
mod demo;
mod drill;
mod explain;
mod flags;
mod incidents;
mod load;
mod log;
mod named_files;
mod parity;
mod rollout;
mod run;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A sidecar that makes an AI product's fast mode safe to roll out.
#[derive(Debug, Parser)]
#[command(name = "modegate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, by the configuration file.
    Run(run::RunArgs),
    /// Check a configuration file, every fault at once, and its contract against running sidecars'.
    Check(check::CheckArgs),
    /// Say what would be done with a request, its body on standard input; no network.
    Explain(explain::ExplainArgs),
    /// Say which cohort keys are in, and why.
    Bucket(bucket::BucketArgs),
    /// Show and set the flags of a running sidecar.
    Flags(flags::FlagsArgs),
    /// Show what became of mode and room between the legs of a running sidecar.
    Parity(parity::ParityArgs),
    /// Show and set what a running sidecar logs.
    Log(log::LogArgs),
    /// Roll fast mode out stage by stage, and back.
    Rollout(rollout::RolloutArgs),
    /// List and show what went wrong in a rollout.
    Incidents(incidents::IncidentsArgs),
    /// Roll a running sidecar back softly, then hard, and back again, under synthetic messages.
    Drill(drill::DrillArgs),
    /// Run all three legs on embedded origins and walk through a rollout.
    Demo(demo::DemoArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file (TOML).
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// How a command that ends by itself ended badly.
#[derive(Clone, Debug)]
enum Failure {
    /// The thing asked about failed: exit code 1.
    Failed(String),
    /// Usage or configuration: exit code 2.
    Usage(String),
    /// Timeout or unreachable: exit code 3.
    Unreachable(String),
}

impl Failure {
    fn text(&self) -> &str {
        match self {
            Failure::Failed(text) | Failure::Usage(text) | Failure::Unreachable(text) => text,
        }
    }

    /// With what went wrong besides.
    fn and(self, other: &str) -> Failure {
        let text = format!("{}; {other}", self.text());
        match self {
            Failure::Failed(_) => Failure::Failed(text),
            Failure::Usage(_) => Failure::Usage(text),
            Failure::Unreachable(_) => Failure::Unreachable(text),
        }
    }

    fn report(self) -> ExitCode {
        let code = match self {
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
        };
        eprintln!("modegate: {}", self.text().trim_end());
        ExitCode::from(code)
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::Bucket(args) => args.run(),
        Command::Flags(args) => args.run(),
        Command::Parity(args) => args.run(),
        Command::Log(args) => args.run(),
        Command::Rollout(args) => args.run(),
        Command::Incidents(args) => args.run(),
        Command::Drill(args) => args.run(),
        Command::Demo(args) => args.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_failure_has_its_exit_code() {
        let text = String::new;
        let cases = [
            (Failure::Failed(text()), 1),
            (Failure::Usage(text()), 2),
            (Failure::Unreachable(text()), 3),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.report(), ExitCode::from(code));
        }
    }
}
