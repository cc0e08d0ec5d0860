//! Proxies of the rig's own, which pass everything through: what the engine costs by itself.

pub mod hyper;
pub mod pingora;

use std::net::SocketAddr;

use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;

/// One thread, as every proxy of the rig has.
fn server() -> Server {
    let conf = ServerConf { threads: 1, work_stealing: false, ..ServerConf::default() };
    Server::new_with_opt_and_conf(None, conf)
}

/// Where it listens and where it sends.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Way {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Address of the origin.
    pub origin: SocketAddr,
}
