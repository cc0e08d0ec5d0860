//! The upstreams of a listener: one, or several balanced by pingora-load-balancing, which also
//! checks their health.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use modegate_config::{Listener, Upstream, UpstreamSettings};
use pingora_core::protocols::l4::socket::SocketAddr as Address;
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::health_check::TcpHealthCheck;
use pingora_load_balancing::selection::RoundRobin;
use pingora_load_balancing::{Backend, Backends, LoadBalancer};

use super::client_tls::ClientTls;
use super::origin::{BadOrigin, Origin};

/// Where the requests of a listener go.
#[derive(Clone)]
pub struct Upstreams(Choice);

#[derive(Clone)]
enum Choice {
    One(Arc<Origin>),
    Balanced(Arc<LoadBalancer<RoundRobin>>, Arc<[Arc<Origin>]>),
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Choice::One(origin) => origin.fmt(f),
            Choice::Balanced(_, origins) => origins.fmt(f),
        }
    }
}

impl Upstreams {
    /// The upstreams of a listener, numbered on from `places`.
    ///
    /// # Errors
    /// Where an upstream's name cannot be used.
    pub fn new(
        listener: &Listener,
        settings: &UpstreamSettings,
        tls: &ClientTls,
        places: &mut usize,
    ) -> Result<Upstreams, BadOrigin> {
        let mut origins = Vec::new();
        for upstream in &listener.upstreams {
            origins.push(Arc::new(Origin::new(*places, upstream, tls)?));
            *places += 1;
        }
        if let [only] = origins.as_slice() {
            return Ok(Upstreams(Choice::One(only.clone())));
        }
        let origins: Arc<[Arc<Origin>]> = origins.into();
        let mut backends = Backends::new(Box::new(Resolve(origins.clone())));
        if settings.health_interval.is_some() {
            backends.set_health_check(TcpHealthCheck::new());
        }
        let mut balancer = LoadBalancer::from_backends(backends);
        balancer.health_check_frequency = settings.health_interval;
        balancer.update_frequency = Some(settings.resolve_interval);
        Ok(Upstreams(Choice::Balanced(Arc::new(balancer), origins)))
    }

    /// The balancer, to be run as a background service.
    pub fn balancer(&self) -> Option<Arc<LoadBalancer<RoundRobin>>> {
        match &self.0 {
            Choice::One(_) => None,
            Choice::Balanced(balancer, _) => Some(balancer.clone()),
        }
    }

    /// How many upstreams there are.
    pub fn count(&self) -> usize {
        match &self.0 {
            Choice::One(_) => 1,
            Choice::Balanced(_, origins) => origins.len(),
        }
    }

    /// The origin of the next request, and which of its addresses; `None` where none is healthy.
    pub fn next(&self) -> Option<(Arc<Origin>, Option<SocketAddr>)> {
        match &self.0 {
            Choice::One(origin) => Some((origin.clone(), None)),
            Choice::Balanced(balancer, origins) => {
                // Every backend is tried before none is found healthy.
                let backend = balancer.select(b"", origins.len() * 4)?;
                let At(index) = backend.ext.get::<At>()?;
                let address = backend.addr.as_inet().copied();
                Some((origins.get(*index)?.clone(), address))
            }
        }
    }
}

/// Which origin a backend is.
#[derive(Clone, Copy)]
struct At(usize);

/// Looks the origins' addresses up; a name that cannot be resolved keeps the others.
struct Resolve(Arc<[Arc<Origin>]>);

#[async_trait]
impl ServiceDiscovery for Resolve {
    async fn discover(&self) -> pingora_core::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let mut backends = BTreeSet::new();
        for (index, origin) in self.0.iter().enumerate() {
            for addr in addresses(origin.upstream()).await {
                let mut ext = http::Extensions::new();
                ext.insert(At(index));
                backends.insert(Backend { addr, weight: 1, ext });
            }
        }
        Ok((backends, HashMap::new()))
    }
}

async fn addresses(upstream: &Upstream) -> Vec<Address> {
    let (host, port) = match upstream {
        Upstream::Http { host, port } | Upstream::Https { host, port } => (host.as_str(), *port),
        Upstream::Unix(path) => {
            let address = std::os::unix::net::SocketAddr::from_pathname(path);
            return address.into_iter().map(Address::Unix).collect();
        }
    };
    match tokio::net::lookup_host((host, port)).await {
        // One address a name: a name that stands for several is one server to health checks.
        Ok(found) => found.take(1).map(Address::Inet).collect(),
        Err(error) => {
            tracing::warn!(host, %error, "upstream not resolved");
            Vec::new()
        }
    }
}
