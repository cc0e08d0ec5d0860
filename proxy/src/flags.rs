//! The flags while the program runs: layers folded into one snapshot, which every request reads
//! once.

mod document_file;
mod document_source;
mod documents;
mod layers;
mod overrides;
mod reload;
mod remote;
mod snapshot;
mod store;
mod store_view;
mod watched;

pub use document_file::{DocumentFile, ReadError, WriteError};
pub use document_source::DocumentSource;
pub use documents::{Freshness, Layer, Unfit};
pub use layers::Opened;
pub use overrides::{Override, Refusal, expiry_between, shortened, vouched};
pub use reload::{ConfigView, Reload, watch};
pub use remote::Remote;
pub use snapshot::{Settings, Snapshot};
pub use store::Store;
pub use store_view::{DocumentView, FlagView, TakenView, View};
