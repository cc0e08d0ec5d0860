//! Our reading of a body is the servers' own: every verdict here is judged by a Node process that
//! reads as they do (invariants: what leaves holds no member that was to go; nothing else changes;
//! mode, room and cohort are those that JavaScript reads; what cannot be read is refused).
#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod documents;
mod listed;
mod names;
mod node;
mod setting;
mod sidecar;

mod bodies;
mod generated;
mod oracle_itself;
mod spellings;
mod splices;
mod targets;
