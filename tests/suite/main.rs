//! The black-box suite: the real binary on port 0, between raw clients and scripted origins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its harness too"
)]

mod control_admin;
mod control_flags;
mod control_flips;
mod control_metrics;
mod control_process;
mod control_reload;
mod control_reload_in_flight;
mod control_shutdown;
mod control_upgrade;
mod explain_differentials;
mod explain_oracle;
mod explain_routing;
mod harness;
mod smoke;
