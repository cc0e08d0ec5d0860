//! What this process itself counts, for a rollout of it alone.

use std::sync::Arc;

use modegate_filters::rollout::looks::Sample;
use modegate_filters::rollout::observe::Instance;

use super::controller::Sampled;
use crate::flags::Store;
use crate::metrics::Metrics;
use crate::parity::Parity;

/// What it is called in reports.
const NAME: &str = "self";

/// The counts of this process.
#[derive(Debug)]
pub struct Local {
    /// The flags.
    pub store: Arc<Store>,
    /// The counts.
    pub metrics: Arc<Metrics>,
    /// The last mismatches.
    pub parity: Arc<Parity>,
}

impl Local {
    /// The counts of this moment.
    pub fn sample(&self) -> Sampled {
        let view = self.store.view();
        let instance = Instance {
            name: NAME.to_owned(),
            up: true,
            generation: self.store.document_generation(),
            breaker: view.breaker.map(|opened| opened.cause),
            overridden: view.flags.iter().any(|flag| flag.override_.is_some()),
        };
        let totals = self.metrics.totals();
        let sample = Sample { instance, totals, began: Some(self.metrics.began()) };
        let exemplars = self.parity.recent.exemplars(self.metrics.modes());
        Sampled { samples: vec![sample], age: Some(0), late: 0, exemplars }
    }
}
