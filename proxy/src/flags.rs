//! The flags while the program runs: layers folded into one snapshot, which every request reads
//! once.

mod overrides;
mod reload;
mod snapshot;
mod store;

pub use overrides::{Override, Refusal, vouched};
pub use reload::{ConfigView, Reload, watch};
pub use snapshot::{Settings, Snapshot};
pub use store::{FlagView, Store};
