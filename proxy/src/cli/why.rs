//! Who changes something on a running sidecar, and why.

use clap::Args;

use super::Failure;

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
    ///
    /// # Errors
    /// Where nobody says it.
    pub(super) fn actor(&self) -> Result<String, Failure> {
        let user = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
        let mut names = self.actor.clone().into_iter().chain(user);
        names.find(|name| !name.is_empty()).ok_or_else(|| {
            let hint = "who changes it? --actor NAME says so where USER and LOGNAME are not set";
            Failure::Usage(hint.to_owned())
        })
    }
}
