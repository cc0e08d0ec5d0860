//! `modegate rollout`

mod plan;

use clap::{Args, Subcommand};

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    command: RolloutCommand,
}

#[derive(Debug, Subcommand)]
enum RolloutCommand {
    /// Show the plan: its stages in order, and what each changes.
    Plan(plan::PlanArgs),
}

impl RolloutArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            RolloutCommand::Plan(args) => args.run(),
        }
    }
}
