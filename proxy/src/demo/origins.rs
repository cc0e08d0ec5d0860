//! The three programs behind the three legs, on ports of their own: bound first, so that their
//! addresses can be configured, and served once it is known what stands in front of each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::api_server::ApiServer;
use super::call::Base;
use super::cloud_proxy::CloudProxy;
use super::http1::{Serving, serve};
use super::recorder::{Recorded, Recorder};
use super::runtime_entrypoint::RuntimeEntrypoint;

/// Which of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hop {
    /// The API server, behind the frontend leg.
    Api,
    /// The cloud proxy, behind the bridge leg.
    Cloud,
    /// The runtime entrypoint, behind the runtime leg.
    Runtime,
}

impl Hop {
    /// Every program, in the order of the chain.
    pub const ALL: [Hop; 3] = [Hop::Api, Hop::Cloud, Hop::Runtime];
}

/// The three programs. Dropping this ends them.
#[derive(Debug)]
pub struct Origins {
    /// Where the API server listens.
    pub api: SocketAddr,
    /// Where the cloud proxy listens.
    pub cloud: SocketAddr,
    /// Where the runtime entrypoint listens.
    pub runtime: SocketAddr,
    recorders: [Arc<Recorder>; 3],
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Bound([TcpListener; 3]),
    Serving([Serving; 3]),
    Stopped,
}

impl Origins {
    /// Binds three ports of the loopback address. Clients may connect from now on; they wait.
    pub async fn bind() -> std::io::Result<Origins> {
        let loopback = (Ipv4Addr::LOCALHOST, 0);
        let api = TcpListener::bind(loopback).await?;
        let cloud = TcpListener::bind(loopback).await?;
        let runtime = TcpListener::bind(loopback).await?;
        Ok(Origins {
            api: api.local_addr()?,
            cloud: cloud.local_addr()?,
            runtime: runtime.local_addr()?,
            recorders: Default::default(),
            stage: Stage::Bound([api, cloud, runtime]),
        })
    }

    /// Serves, on the runtime that this is called on. `bridge_url` is where the API server finds
    /// the cloud, `runtime_url` where the cloud proxy finds the entrypoint: `http://host:port`
    /// of modegate's listeners. Does nothing where they serve already.
    pub fn serve(&mut self, bridge_url: &str, runtime_url: &str) {
        let [api, cloud, runtime] = match std::mem::replace(&mut self.stage, Stage::Stopped) {
            Stage::Bound(listeners) => listeners,
            other => {
                self.stage = other;
                return;
            }
        };
        let [api_seen, cloud_seen, runtime_seen] = self.recorders.clone();
        self.stage = Stage::Serving([
            serve(api, Arc::new(ApiServer::new(api_seen, Base::new(bridge_url)))),
            serve(cloud, Arc::new(CloudProxy::new(cloud_seen, Base::new(runtime_url)))),
            serve(runtime, Arc::new(RuntimeEntrypoint::new(runtime_seen))),
        ]);
    }

    /// Stops all three: their ports are closed, what they recorded stays.
    pub async fn stop(&mut self) {
        if let Stage::Serving(programs) = std::mem::replace(&mut self.stage, Stage::Stopped) {
            for program in programs {
                program.stop().await;
            }
        }
    }

    /// What a program received last, the oldest first.
    pub fn recorded(&self, hop: Hop) -> Vec<Recorded> {
        self.recorders[hop as usize].recorded()
    }

    /// Whether a program serves and has not died.
    pub fn alive(&self, hop: Hop) -> bool {
        match &self.stage {
            Stage::Serving(programs) => programs[hop as usize].alive(),
            Stage::Bound(_) | Stage::Stopped => false,
        }
    }
}
