//! `modegate rollout`

mod plan;
mod simulate;

use clap::{Args, Subcommand};

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the plan: its stages in order, and what each changes.
    Plan(plan::PlanArgs),
    /// Try the gates' engines on made-up rollouts; fails where they err more often than they promise.
    Simulate(simulate::SimulateArgs),
}

impl RolloutArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Plan(args) => args.run(),
            Command::Simulate(args) => args.run(),
        }
    }
}
