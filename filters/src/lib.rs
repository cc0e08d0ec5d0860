//! modegate's decisions: pure and synchronous, bytes and headers in, values out.
//!
//! Nothing here does I/O, reads a clock or knows an engine. Start reading at [`decide`];
//! [`inspect`] is the order in which a request meets the other modules.

pub mod allow;
pub mod answers;
pub mod bucket;
pub mod contract;
pub mod decide;
pub mod dialect;
pub mod edit;
pub mod events;
pub mod fingerprint;
pub mod framing;
pub mod head;
pub mod hex;
pub mod inspect;
pub mod message;
pub mod mismatch;
pub mod parity;
pub mod rejection;
pub mod repair;
pub mod rollout;
pub mod room;
pub mod route;
pub mod scan;
pub mod stream;
pub mod tags;
pub mod target;
pub mod text;
