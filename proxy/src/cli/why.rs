//! Who changes something on a running sidecar, and why.

use clap::Args;

/// What every change needs.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Who changes it; without it, the user that runs the command.
    #[arg(long)]
    actor: Option<String>,
    /// Why.
    #[arg(long)]
    pub(super) reason: String,
}

impl Why {
    /// The actor's name.
    pub(super) fn actor(&self) -> String {
        let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        self.actor.clone().or_else(user).unwrap_or_default()
    }
}
