//! `modegate rollout`

mod order;
mod plan;
mod replay;
mod run;
mod show;
mod simulate;

use clap::{Args, Subcommand};

use super::Failure;
use super::call::AdminArgs;

#[derive(Debug, Args)]
pub(super) struct RolloutArgs {
    #[command(flatten)]
    admin: AdminArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show where it is: stage, gates, instances; and what it waits for.
    Status(show::StatusArgs),
    /// Say what a gate saw, what it goes by, and what it lacks; fails where the gate does.
    Explain(show::ExplainArgs),
    /// Show the plan: its stages in order, and what each changes; no network.
    Plan(plan::PlanArgs),
    /// Begin, or begin again after a rollback.
    Start(order::OrderArgs),
    /// Stay at this stage.
    Hold(order::OrderArgs),
    /// Go on from where it is held.
    Resume(order::OrderArgs),
    /// Let a stage whose gates have passed end.
    Approve(order::OrderArgs),
    /// Let a stage end though gates have not passed; none may have failed.
    Advance(order::OrderArgs),
    /// Take everybody out of fast mode, from the next request on.
    Rollback(order::RollbackArgs),
    /// Give the rollout up: a soft rollback.
    Abort(order::OrderArgs),
    /// Tell it what was seen of the answers' quality elsewhere.
    Signal(order::SignalArgs),
    /// Verify an audit's chain and decide every step of it again; no network.
    Replay(replay::ReplayArgs),
    /// Try the gates' engines on made-up rollouts; fails where they err more often than they promise.
    Simulate(simulate::SimulateArgs),
    /// Run the rollout of a fleet: Prometheus says what is, the flags document what is to be.
    Run(run::RunArgs),
}

impl RolloutArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let admin = &self.admin;
        match self.command {
            Command::Status(args) => args.run(admin),
            Command::Explain(args) => args.run(admin),
            Command::Start(args) => args.run(admin, "start"),
            Command::Hold(args) => args.run(admin, "hold"),
            Command::Resume(args) => args.run(admin, "resume"),
            Command::Approve(args) => args.run(admin, "approve"),
            Command::Advance(args) => args.run(admin, "advance"),
            Command::Rollback(args) => args.run(admin),
            Command::Abort(args) => args.run(admin, "abort"),
            Command::Signal(args) => args.run(admin),
            _ if admin.is_given() => {
                let why = "--admin and --token-file: this command asks no running sidecar";
                Err(Failure::Usage(why.to_owned()))
            }
            Command::Plan(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::Simulate(args) => args.run(),
            Command::Run(args) => args.run(),
        }
    }
}
