//! modegate's configuration: a TOML file in, a [`Config`] that is valid by construction out.
//!
//! Reading is pure: no file is opened and no environment is asked, so that a reload can try a
//! text and throw it away. Every fault of a file is reported at once, see [`Report`]. Keys and
//! defaults are told to operators in `modegate.example.toml`; each file here reads one group of
//! sections and holds their defaults.

mod admin;
mod bind;
mod canary;
mod contract;
pub mod document;
mod effective;
mod flag_sources;
pub mod flags;
mod host_name;
mod limits;
mod listener;
mod read;
mod report;
mod rollout;
mod rule;
mod server;
mod timeouts;
mod tls;
mod traces;
mod upstream;
mod value;

#[cfg(test)]
mod tests;

pub use admin::Admin;
pub use bind::Bind;
pub use canary::{OnMismatch, Parity};
pub use document::Document;
pub use effective::effective;
pub use flag_sources::FlagSources;
pub use flags::{Broken, Flag, FlagLayer};
pub use host_name::HostName;
pub use limits::Limits;
pub use listener::Listener;
pub use report::{Invalid, Report};
pub use rollout::Rollout;
pub use server::{Log, Server, read_level};
pub use timeouts::Timeouts;
pub use tls::ListenerTls;
pub use traces::{Endpoint, Protocol, Traces};
pub use upstream::{Upstream, UpstreamSettings};
pub use value::{parse_duration, shown_duration};

use modegate_filters::bucket::Canary;
use modegate_filters::contract::Contract;
use modegate_filters::rollout::observe::Breaker;

use crate::read::Faults;

/// Everything that the configuration file says, with defaults where it is silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[server]`: threads and shutdown.
    pub server: Server,
    /// `[contract]` and `[profiles.*]`: the member, its modes and its profiles.
    pub contract: Contract,
    /// `[flags]`: the file's layer; a flag that the file does not name is not in it.
    pub flags: FlagLayer,
    /// `[flag_sources]`: where flags come from at run time.
    pub flag_sources: FlagSources,
    /// `[breaker]`: what makes the sidecar switch fast mode off by itself; every cause where flags
    /// come from a document, a service or a rollout, otherwise none.
    pub breaker: Vec<Breaker>,
    /// `[canary]`: who is in the canary cohort.
    pub canary: Canary,
    /// `[parity]`: how legs are compared.
    pub parity: Parity,
    /// `[rollout]`: which plan is followed, and where it keeps what it knows.
    pub rollout: Rollout,
    /// `[timeouts]`: how long each wait may take.
    pub timeouts: Timeouts,
    /// `[limits]`: how much may be held at once.
    pub limits: Limits,
    /// `[upstream]`: what holds for every upstream.
    pub upstream: UpstreamSettings,
    /// `[log]`: what is logged.
    pub log: Log,
    /// `[traces]`: which spans go to which collector.
    pub traces: Traces,
    /// `[admin]`: the admin listener.
    pub admin: Admin,
    /// `[[listener]]`, in the file's order; at least one.
    pub listeners: Vec<Listener>,
}

impl Config {
    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// A [`Report`] of everything that is wrong with it; of the first fault only where the text
    /// is not TOML.
    pub fn parse(text: &str) -> Result<Config, Report> {
        let document = read::document(text)?;
        let faults = Faults::new(text);
        let config = read::whole(&faults, document, |root| {
            let contract = contract::read(root);
            let flags = flags::read(root);
            let flag_sources = flag_sources::read(root);
            let canary = canary::read(root);
            let parity = canary::read_parity(root);
            let server = server::read(root);
            let timeouts = timeouts::read(root);
            let limits = limits::read(root, &contract);
            let upstream = upstream::read(root);
            let log = server::read_log(root);
            let traces = traces::read(root);
            let admin = admin::read(root);
            let listeners = listener::read(root, &admin);
            let rollout = rollout::read(root, &canary, &listeners, &flag_sources);
            let is_told =
                flag_sources.file.is_some() || flag_sources.remote.is_some() || rollout.enabled;
            let breaker = flag_sources::read_breaker(root, is_told);
            Config {
                server,
                contract,
                flags,
                flag_sources,
                breaker,
                canary,
                parity,
                rollout,
                timeouts,
                limits,
                upstream,
                log,
                traces,
                admin,
                listeners,
            }
        });
        faults.into_report().map_or(Ok(config), Err)
    }
}
