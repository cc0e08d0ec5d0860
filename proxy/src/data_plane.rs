//! How a request gets through a leg.
//!
//! ```text
//! admission    so many connections in all, so many of one address; the others are told, or closed
//!      │
//! connection   a pingora-core stream, TLS on it, HTTP/1.1 or HTTP/2 by hyper; deadlines, bounds;
//!      │       what could be read in two ways never gets as far as hyper
//!      │ one Exchange a request: head judged, identity taken, tags stripped, flags read once
//! stack        head ──► capability ──► limits ──► allow ──► Contract ──► Forward   (tower services)
//!               │           │             │         │         │            │
//!               │ 4xx       │ /.well-known│ 503, 417│ 404     │ 4xx        │ 502, 504
//!               ▼           ▼             ▼         ▼         ▼            ▼
//! reply        an answer with the request's Record in it; dropping it, at the end of the answer
//!              or wherever the request stopped, counts it and writes its access line
//! ```

mod admission;
mod allow;
mod attire;
mod capability;
mod client_io;
mod client_tls;
mod connection;
mod contract;
mod drain;
mod ending;
mod enforce;
mod exchange;
mod forward;
mod framed;
mod gate;
mod head;
mod held_answer;
mod held_body;
mod hop;
mod http1;
mod http2;
mod idle;
mod join;
mod limits;
mod linger;
mod media;
mod named;
mod origin;
mod pace;
mod pool;
mod preface;
mod read;
mod record;
mod refuse;
mod relay;
mod reply;
mod server_tls;
mod serving;
mod stack;
mod tunnel;
mod upload;
mod upstreams;
mod witness;

use std::ops::Deref;
use std::sync::Arc;

use modegate_filters::allow::Call;
use modegate_filters::route::Leg;

use crate::digest::DigestKey;
use crate::flags::Store;
use crate::metrics::Metrics;
use crate::parity::Parity;
use crate::traces::Traces;

pub use admission::Admission;
pub use client_tls::{BadRoots, ClientTls};
pub use connection::DataPlane;
pub use drain::Drain;
pub use origin::keep_alive;
pub use server_tls::{BadTls, ServerTls, Why};
pub use upstreams::Upstreams;

/// What the requests of one listener share.
#[derive(Debug)]
pub struct Plane {
    /// The listener's leg.
    pub leg: Leg,
    /// What it serves beside its messages, on the runtime leg.
    pub allow: Vec<Call>,
    /// The flags and settings.
    pub store: Arc<Store>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What the legs know of one another.
    pub parity: Arc<Parity>,
    /// The key of digests.
    pub digests: Arc<DigestKey>,
    /// Where spans go.
    pub traces: Traces,
    /// Where requests go.
    pub upstreams: Upstreams,
    /// What the listener proves itself with; `None` where it speaks in clear.
    pub tls: Option<Arc<ServerTls>>,
    /// Whether HTTP/2 in clear is taken.
    pub h2c: bool,
    /// The most requests in flight that the process has files for, whatever the configuration says:
    /// each may need a connection to an upstream.
    pub most_in_flight: usize,
}

impl Plane {
    /// Whether what passes here is compared with what passes on another leg.
    fn joins(&self) -> bool {
        self.parity.of(self.leg).is_some() || self.parity.before(self.leg).is_some()
    }
}

/// A connection's own handle of its plane. Requests clone it again and again: a count that all
/// threads share would be one that they wait at.
#[derive(Clone, Debug)]
#[allow(clippy::redundant_allocation)] // the allocation is what it is for
pub struct Here(Arc<Arc<Plane>>);

impl Here {
    fn new(plane: &Arc<Plane>) -> Here {
        Here(Arc::new(plane.clone()))
    }
}

impl Deref for Here {
    type Target = Plane;

    fn deref(&self) -> &Plane {
        &self.0
    }
}

impl AsRef<Metrics> for Here {
    fn as_ref(&self) -> &Metrics {
        &self.metrics
    }
}
