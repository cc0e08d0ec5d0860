//! How a request gets through a leg.
//!
//! ```text
//! connection   hyper's HTTP/1.1 on a pingora-core stream; deadlines of head and idle; what could
//!      │       be read in two ways never gets as far as hyper
//!      │ one Exchange a request: head judged, identity taken, tags stripped, flags read once
//! stack        head ──► capability ──► limits ──► Contract ──► Forward   (tower services)
//!               │           │             │           │            │
//!               │ 4xx       │ /.well-known│ 503, 417  │ 4xx        │ 502, 504
//!               ▼           ▼             ▼           ▼            ▼
//! reply        an answer with the request's Record in it; dropping it, at the end of the answer
//!              or wherever the request stopped, counts it and writes its access line
//! ```

mod capability;
mod client_io;
mod connection;
mod contract;
mod drain;
mod exchange;
mod forward;
mod framed;
mod gate;
mod head;
mod held_body;
mod hop;
mod idle;
mod limits;
mod linger;
mod origin;
mod pool;
mod read;
mod record;
mod refuse;
mod reply;
mod serving;
mod stack;
mod tunnel;
mod upload;
mod upstreams;

use std::sync::Arc;

use modegate_filters::route::Leg;

use crate::digest::DigestKey;
use crate::flags::Store;
use crate::metrics::Metrics;

pub use connection::DataPlane;
pub use drain::Drain;
pub use upstreams::{BadRoots, Upstreams, roots};

/// What the requests of one listener share.
#[derive(Debug)]
pub struct Plane {
    /// The listener's leg.
    pub leg: Leg,
    /// The flags and settings.
    pub store: Arc<Store>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The key of logged digests.
    pub digests: Arc<DigestKey>,
    /// Where requests go.
    pub upstreams: Upstreams,
}
