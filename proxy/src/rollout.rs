//! The rollout as a running controller follows it.

pub mod prometheus;
