//! `modegate rollout run`

use clap::Args;

use crate::cli::load::load;
use crate::cli::run::serve;
use crate::cli::{ConfigFile, Failure};
use crate::server::{HandOver, Role};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    file: ConfigFile,
}

impl RunArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&self.file.config)?;
        let rollout = &loaded.config.rollout;
        let lacks = match (rollout.enabled, &rollout.prometheus) {
            (false, _) => Some("rollout.enabled is false"),
            (true, None) => Some("without rollout.prometheus `modegate run` runs it by itself"),
            (true, Some(_)) => None,
        };
        if let Some(lacks) = lacks {
            return Err(Failure::Usage(format!("{}: {lacks}", loaded.path.display())));
        }
        serve(loaded, HandOver::Off, Role::Controller)
    }
}
