//! The demonstration: the three programs that modegate stands in front of, in one process, and a
//! walk through the rollout. modegate itself is started by who runs the demonstration.
//!
//! The programs do what the real ones do, defects included: the API server drops `processing`,
//! the cloud proxy's stream route keeps only text and room, the runtime entrypoint ignores the
//! room and dies of a body that is no JSON.

pub mod api_server;
pub mod call;
mod clock;
pub mod cloud_proxy;
pub mod hints;
pub mod http1;
mod identity;
pub mod js_text;
pub mod json;
pub mod origins;
pub mod recorder;
pub mod reply;
pub mod runtime_entrypoint;
pub mod walk;

#[cfg(test)]
mod tests;

pub use self::hints::Hints;
pub use self::origins::{Hop, Origins};
pub use self::recorder::Recorded;
pub use self::walk::{Sidecar, WalkError, parity, walk};
