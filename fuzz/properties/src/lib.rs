//! What must hold of any input: one function for each fuzz target, with the functions that the proxy runs.
//! They panic where it does not hold. `tests/corpus.rs` runs the same functions on the committed corpora.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "to panic is what a property is for"
)]

mod asked;
mod config;
mod contract;
mod edited;
mod exchange;
mod framing;
mod header;
mod http1;
mod input;
mod reference;
mod route;
mod scan;
mod stream;

pub use config::config;
pub use contract::contract;
pub use exchange::exchange;
pub use framing::framing;
pub use header::header;
pub use route::route;
pub use scan::scan;
pub use stream::stream;

/// A property of any bytes.
pub type Property = fn(&[u8]);

/// Every property by the name of its target and of its corpus.
pub const PROPERTIES: [(&str, Property); 8] = [
    ("config", config),
    ("contract", contract),
    ("exchange", exchange),
    ("framing", framing),
    ("header", header),
    ("route", route),
    ("scan", scan),
    ("stream", stream),
];
