//! `modegate run`

use std::path::PathBuf;

use clap::Args;

use super::{ConfigFile, Failure, load::load};
use crate::logging;
use crate::server::{App, Start, Stop};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Take the listening sockets over from the running process; then send that one SIGQUIT.
    #[arg(long)]
    upgrade: bool,
    /// The socket over which a running process hands its listening sockets to the next.
    #[arg(long, value_name = "PATH", default_value = "/tmp/modegate-upgrade.sock")]
    upgrade_socket: PathBuf,
}

impl RunArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&self.file.config)?;
        let writer = logging::start(&loaded.config.log);
        let start = Start {
            file: (loaded.path, loaded.text, loaded.config),
            environment: loaded.environment,
            log: writer.dropped(),
            upgrade: self.upgrade.then(|| self.upgrade_socket.clone()),
            upgrade_socket: self.upgrade_socket,
            stop: Stop::Signals,
        };
        let app = App::new(start).map_err(|error| Failure::Usage(error.to_string()))?;
        app.run();
        Ok(())
    }
}
