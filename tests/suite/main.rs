//! The black-box suite: the real binary on port 0, between raw clients and scripted origins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its harness too"
)]

mod control_flags;
mod control_flips;
mod control_process;
mod explain_differentials;
mod explain_oracle;
mod explain_routing;
mod harness;
mod smoke;
