//! `modegate rollout`

mod order;
mod plan;
mod replay;
mod run;
mod show;
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
        match self.command {
            Command::Status(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::Plan(args) => args.run(),
            Command::Start(args) => args.run("start"),
            Command::Hold(args) => args.run("hold"),
            Command::Resume(args) => args.run("resume"),
            Command::Approve(args) => args.run("approve"),
            Command::Advance(args) => args.run("advance"),
            Command::Rollback(args) => args.run(),
            Command::Abort(args) => args.run("abort"),
            Command::Signal(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::Simulate(args) => args.run(),
            Command::Run(args) => args.run(),
        }
    }
}
