//! The process under test with every fault before it and behind it, and what it holds at rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::origin::ChaosOrigin;
use crate::harness::{Fault, FaultProxy, Modegate, Tally, eventually_within, listener};

/// Every leg.
pub const LEGS: [&str; 3] = ["frontend", "bridge", "runtime"];

/// How long the process may take to come to rest: its own deadlines, and a slow machine.
const REST: Duration = Duration::from_secs(30);

/// On which side of the process a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Client,
    Origin,
}

/// The process under test between its fault proxies.
pub struct Field {
    /// The process.
    pub modegate: Modegate,
    /// The origin.
    pub origin: ChaosOrigin,
    /// What was injected between clients and the process.
    pub before: Arc<Tally>,
    /// What was injected between the process and the origin.
    pub behind: Arc<Tally>,
    /// By fault and leg.
    clients: Vec<Vec<FaultProxy>>,
    /// By fault.
    origins: Vec<FaultProxy>,
}

impl Field {
    /// Starts it all; `settings` stand before the listeners.
    pub async fn start(settings: &str, seed: u64) -> Field {
        let origin = ChaosOrigin::start().await;
        let (before, behind) = (Arc::<Tally>::default(), Arc::<Tally>::default());
        let mut config = settings.to_owned();
        let legs = |url: &str| LEGS.map(|leg| listener(leg, url) + "h2c = true\n").concat();
        config.push_str(&legs(&format!("http://{}", origin.address)));
        let mut origins = Vec::new();
        for fault in Fault::ALL {
            let seed = seed + origins.len() as u64;
            let proxy = FaultProxy::start(origin.address, fault, seed, behind.clone()).await;
            config.push_str(&legs(&format!("http://{}", proxy.address)));
            origins.push(proxy);
        }
        let modegate = Modegate::start(&config).await;
        let mut clients = Vec::new();
        for fault in Fault::ALL {
            let mut proxies = Vec::new();
            for leg in LEGS {
                let seed = seed + 1000 * (1 + clients.len() + 100 * proxies.len()) as u64;
                let server = modegate.leg(leg, 0).tcp();
                proxies.push(FaultProxy::start(server, fault, seed, before.clone()).await);
            }
            clients.push(proxies);
        }
        Field { modegate, origin, before, behind, clients, origins }
    }

    /// Where a leg is reached without a fault.
    pub fn clean(&self, leg: &str) -> SocketAddr {
        self.modegate.leg(leg, 0).tcp()
    }

    /// Where a leg is reached through a fault.
    pub fn through(&self, fault: usize, side: Side, leg: &str) -> SocketAddr {
        let at = LEGS.iter().position(|one| *one == leg).expect("a leg");
        match side {
            Side::Client => self.clients[fault][at].address,
            Side::Origin => self.modegate.leg(leg, 1 + fault).tcp(),
        }
    }

    /// Takes every fault away, or brings them back.
    pub fn heal(&self, healed: bool) {
        self.clients.iter().flatten().chain(&self.origins).for_each(|proxy| proxy.heal(healed));
    }

    /// Ends every connection over a network, the silent ones included.
    pub fn hang_up(&self) {
        self.clients.iter().flatten().chain(&self.origins).for_each(FaultProxy::hang_up);
    }

    /// Waits until nothing is open, in flight or held any more, nor more descriptors than
    /// `descriptors`, and gives what the process holds then.
    pub async fn at_rest(&self, descriptors: usize) -> Held {
        let gauges = ["connections", "inflight", "tunnels", "body_memory_bytes"];
        let mut left = String::new();
        for gauge in gauges {
            left = format!("{left} {gauge}");
            eventually_within(REST, &format!("{left} at zero"), async || {
                let metrics = self.modegate.metrics().await;
                (metrics.sum(&format!("modegate_{gauge}"), &[]) == 0.0).then_some(())
            })
            .await;
        }
        eventually_within(REST, "the end of the pools", async || {
            (self.origin.open() == 0).then_some(())
        })
        .await;
        eventually_within(REST, &format!("at most {descriptors} descriptors"), async || {
            Some(self.held()).filter(|held| held.descriptors <= descriptors)
        })
        .await
    }

    /// What the process holds now.
    pub fn held(&self) -> Held {
        let directory = std::fs::read_dir(format!("/proc/{}/fd", self.modegate.pid()));
        let descriptors = directory.expect("the process's descriptors").count();
        Held { descriptors, memory: self.modegate.memory() }
    }
}

/// What a process holds of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Open descriptors.
    pub descriptors: usize,
    /// Memory in use, in KiB.
    pub memory: usize,
}
