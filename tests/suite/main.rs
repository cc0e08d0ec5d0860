//! The black-box suite: the real binary on port 0, between raw clients and scripted origins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its harness too"
)]

mod access_lines;
mod access_log;
mod allowed;
mod attacks;
mod attacks_admin;
mod attacks_answers;
mod attacks_claims;
mod attacks_headers;
mod attacks_json;
mod attacks_labels;
mod attacks_logs;
mod attacks_races;
mod attacks_rooms;
mod attacks_routing;
mod attacks_sizes;
mod attacks_streaming;
mod capability;
mod chaos;
mod cohorts;
mod control_admin;
mod control_cli;
mod control_cli_flags;
mod control_explain;
mod control_flags;
mod control_flips;
mod control_metrics;
mod control_privacy;
mod control_process;
mod control_reload;
mod control_reload_in_flight;
mod control_shutdown;
mod control_upgrade;
mod decisions;
mod endings;
mod exhaustion_connections;
mod exhaustion_memory;
mod exhaustion_open_files;
mod exhaustion_readers;
mod exhaustion_slow;
mod expect;
mod expectations;
mod explain_differentials;
mod explain_oracle;
mod explain_routing;
mod faults;
mod framing;
mod h2_breaks;
mod h2_conformance;
mod h2_decisions;
mod h2_floods;
mod h2_grpc;
mod h2_hpack;
mod h2_messages;
mod h2_neighbours;
mod h2_shutdown;
mod h2_smuggling;
mod h2_upstreams;
mod h2_windows;
mod h2c;
mod harness;
mod headers;
mod identity;
mod limits;
mod messages;
mod node_origin;
mod parity;
mod parity_many;
mod refusals;
mod replay;
mod request_ids;
mod slow_clients;
mod streaming;
mod targets;
mod tls;
mod tls_reload;
mod transports;
mod upgrade;
mod upstreams;
mod vanished;
mod websocket;
mod well_known;
