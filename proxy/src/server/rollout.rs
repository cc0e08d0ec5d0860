//! The rollout that this process runs: its own, or a fleet's.

use std::sync::Arc;

use modegate_config::Config;
use pingora_core::server::Server;
use pingora_core::services::background::background_service;

use super::Role;
use crate::flags::Store;
use crate::metrics::Metrics;
use crate::parity::Parity;
use crate::rollout::prometheus::Prometheus;
use crate::rollout::{Controller, Local, Run, Source};

/// Has the controller run with the server, where the configuration says so: with a Prometheus the
/// rollout is a fleet's, and of the fleet's controller alone.
pub fn start(
    server: &mut Server,
    config: &Config,
    role: Role,
    (store, metrics, parity): (&Arc<Store>, &Arc<Metrics>, &Arc<Parity>),
) -> Option<Arc<Controller>> {
    let settings = &config.rollout;
    let (store, source) = match (role, &settings.prometheus) {
        (Role::Sidecar, None) if settings.enabled => {
            let (metrics, parity) = (metrics.clone(), parity.clone());
            (Some(store.clone()), Source::Local(Local { store: store.clone(), metrics, parity }))
        }
        (Role::Controller, Some(endpoint)) if settings.enabled => {
            (None, Source::Fleet(Prometheus::new(endpoint, &settings.job)))
        }
        _ => return None,
    };
    let controller = Controller::new(settings, store);
    let run = Run::new(controller.clone(), source);
    server.add_service(background_service("rollout", run));
    Some(controller)
}
