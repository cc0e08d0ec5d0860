//! Parity: what one leg let through against what the next leg gets, said of every message, and what
//! is done about it.

mod ambiguous;
pub mod api;
mod by_hand;
pub mod chain;
mod cloud;
mod cohorts;
mod enforce;
pub mod fault;
mod flags;
mod identity;
mod message;
mod privacy;
mod repair;
mod resends;
mod rollback;
mod runtime;
pub mod serve;
mod strangers;
mod texts;
mod verdicts;

pub use message::{Message, room_of};

/// Everyone is canary, and the fast mode applies.
pub const FAST: &str = "[flags]\ncontract = true\nruntime = true\n\
     [canary]\npercent = 100\nkey = [\"room\", \"header:x-user\"]\n";
