//! Joins the legs of a message: what each leg let through, and what of it the next one got.
//!
//! The frontend leg's records are looked for by the bridge leg, by room and text; the bridge leg's
//! by the runtime leg, by JSON-RPC id. What is compared, and what a difference is called, is in
//! `modegate_filters::parity`; what is done about it in `data_plane::join`.

mod expired;
mod hashed;
mod left;
mod recent;
mod shard;
mod table;

use std::time::{Duration, Instant};

use modegate_filters::route::Leg;

pub use left::{Left, VALUE_LIMIT};
pub use recent::{Mismatch, Recent};
pub use shard::{Claim, Key, Kind, Origins};
pub use table::{Inserted, Place, Table, Wanted};

/// What the legs of this process know of one another.
#[derive(Debug)]
pub struct Parity {
    frontend: Option<Table>,
    bridge: Option<Table>,
    /// The last mismatches.
    pub recent: Recent,
}

impl Parity {
    /// Tables for the legs whose next leg is served here too: nobody else would look into them.
    pub fn new(settings: &modegate_config::Parity, legs: impl Iterator<Item = Leg>) -> Parity {
        let legs: Vec<Leg> = legs.collect();
        let table =
            |next| legs.contains(&next).then(|| Table::new(settings.records, settings.memory));
        Parity {
            frontend: table(Leg::Bridge),
            bridge: table(Leg::Runtime),
            recent: Recent::default(),
        }
    }

    /// Where a leg writes down what it lets through.
    pub fn of(&self, leg: Leg) -> Option<&Table> {
        match leg {
            Leg::Frontend => self.frontend.as_ref(),
            Leg::Bridge => self.bridge.as_ref(),
            Leg::Runtime => None,
        }
    }

    /// Where a leg looks for what the leg before let through.
    pub fn before(&self, leg: Leg) -> Option<&Table> {
        match leg {
            Leg::Frontend => None,
            Leg::Bridge => self.frontend.as_ref(),
            Leg::Runtime => self.bridge.as_ref(),
        }
    }

    /// Drops every record that is too old.
    pub fn sweep(&self, window: Duration) {
        for table in [&self.frontend, &self.bridge].into_iter().flatten() {
            table.sweep(Instant::now(), window);
        }
    }
}
