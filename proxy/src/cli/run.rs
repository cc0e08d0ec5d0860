//! `modegate run`

use std::path::PathBuf;

use clap::Args;

use super::load::{Loaded, load};
use super::{ConfigFile, Failure};
use crate::logging;
use crate::server::{App, HandOver, NotHandedOver, Role, Start, Stop};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Take the listening sockets over from the running process; then send that one SIGQUIT.
    #[arg(long, requires = "upgrade_socket")]
    upgrade: bool,
    /// The socket over which a process hands its listening sockets to the next; in a directory
    /// that only its user writes to. Without it SIGQUIT drains and leaves, as SIGTERM does.
    #[arg(long, value_name = "PATH")]
    upgrade_socket: Option<PathBuf>,
}

impl RunArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = load(&self.file.config)?;
        let hand_over = match (self.upgrade_socket, self.upgrade) {
            (None, _) => HandOver::Off,
            (Some(socket), false) => HandOver::To(socket),
            (Some(socket), true) => HandOver::From(socket),
        };
        serve(loaded, hand_over, Role::Sidecar)
    }
}

/// Serves until a signal ends it.
pub(super) fn serve(loaded: Loaded, hand_over: HandOver, role: Role) -> Result<(), Failure> {
    let writer = logging::start(&loaded.config.log);
    let start = Start {
        file: (loaded.path, loaded.text, loaded.config),
        environment: loaded.environment,
        log: writer.logging(),
        hand_over,
        stop: Stop::Signals,
        role,
    };
    let app = App::new(start).map_err(|error| match error.is::<NotHandedOver>() {
        true => Failure::Unreachable(error.to_string()),
        false => Failure::Usage(error.to_string()),
    });
    app?.run();
    Ok(())
}
