//! `modegate rollout run`

use clap::Args;

use crate::cli::load::load;
use crate::cli::{ConfigFile, Failure};
use crate::logging;
use crate::server::{App, HandOver, Role, Start, Stop};

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
        let writer = logging::start(&loaded.config.log);
        let start = Start {
            file: (loaded.path, loaded.text, loaded.config),
            environment: loaded.environment,
            log: writer.logging(),
            hand_over: HandOver::Off,
            stop: Stop::Signals,
            role: Role::Controller,
        };
        App::new(start).map_err(|error| Failure::Usage(error.to_string()))?.run();
        Ok(())
    }
}
