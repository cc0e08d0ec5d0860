//! What the tests are written in: the process under test, origins that follow a script, raw
//! clients, and waits that have a deadline.

mod admin;
mod authority;
mod client;
mod collector;
mod fault_proxy;
pub mod frame;
mod gone;
mod h2;
mod h2_origin;
pub mod hpack;
mod metrics;
mod modegate;
mod node_origin;
mod origin;
mod prometheus;
pub mod protobuf;
mod raw_origin;
mod settings;
mod stream;
mod temp_dir;
mod wire;

use std::future::Future;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub use authority::{Authority, Pair, Tls, der};
pub use client::{Client, Request, Response, answer_framing};
pub use collector::{Collector, Exported, Otlp, attribute};
pub use fault_proxy::{Fault, FaultProxy, Tally};
pub use frame::Frame;
pub use gone::{Full, Gone};
pub use h2::{Answered, Ended, H2, get, post};
pub use h2_origin::{H2Origin, Reply, Streamed};
pub use modegate::{Exited, Modegate, Start, TOKEN};
pub use node_origin::{NodeOrigin, NodeRead};
pub use origin::{Answer, Origin, Received, Step, Steps, script};
pub use prometheus::{Prometheus, promtool};
pub use raw_origin::{RawOrigin, head_end, is_whole, request_until};
pub use settings::{clear, listener, secure, settings, settings_for};
pub use stream::{Address, connect, tcp};
pub use temp_dir::TempDir;
pub use wire::{End, Framing, Head, Piece, Wire};

/// How long anything may take that is expected to happen.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Between two looks at something that is expected to become true.
const LOOK: Duration = Duration::from_millis(3);

/// Waits for a future, not longer than [`DEADLINE`].
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    within_time(DEADLINE, what, future).await
}

/// Waits for a future, not longer than `deadline`.
pub async fn within_time<F: Future>(deadline: Duration, what: &str, future: F) -> F::Output {
    match tokio::time::timeout(deadline, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {deadline:?}: {what}"),
    }
}

/// Looks until there is something to see, not longer than [`DEADLINE`].
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, look).await
}

/// Looks until there is something to see, not longer than `deadline`.
pub async fn eventually_within<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(started.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Open files that are enough for the tests that take thousands, and for what runs beside them.
const ALL_FILES: u64 = 11_000;

/// So many connections, or where this process may not have that many files, proportionally fewer.
pub fn share(connections: u64) -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("a limit up to the hard one");
    connections * hard.min(ALL_FILES) / ALL_FILES
}
