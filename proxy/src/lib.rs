//! modegate: a sidecar between the programs of an AI chat product, so that its fast mode can be
//! rolled out, and undone, across servers that are never all on one version.
//!
//! Reading order: `modegate_filters::decide` says what is done with a request; [`data_plane`] is
//! how a request gets there; [`server`] is what runs it.

pub mod admin;
pub mod cli;
pub mod data_plane;
pub mod demo;
pub mod digest;
pub mod flags;
pub mod logging;
pub mod metrics;
mod moment;
pub mod parity;
mod plain_client;
pub mod rollout;
pub mod server;
pub mod traces;
mod whole_file;
