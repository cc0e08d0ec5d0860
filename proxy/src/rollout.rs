//! The rollout while the program runs: a controller that looks, decides, writes down what was decided
//! and has the flags document say it.

mod actuation;
mod controller;
mod exemplars;
mod incidents;
mod journal;
mod local;
pub mod prometheus;
mod service;
mod view;

pub use controller::{Controller, OrderError, Reading, Sampled};
pub use incidents::Incidents;
pub use local::Local;
pub use service::{Run, Source};
