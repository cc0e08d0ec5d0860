//! Has the controller look now and then, soon where something was signalled, and look for the
//! kill file all the time, also while a look waits for its answers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Fuse, FusedFuture, FutureExt};
use modegate_filters::rollout::incident::Shown;
use modegate_filters::rollout::plan::Millis;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::background::BackgroundService;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::controller::{Controller, Sampled, Unshown};
use super::exemplars;
use super::local::Local;
use super::prometheus::Prometheus;

/// How often the kill file is looked for, and whether another process left the rollout.
const LOOK: Duration = Duration::from_millis(250);

/// Where counts come from.
#[derive(Debug)]
pub enum Source {
    /// This process.
    Local(Local),
    /// Every instance that Prometheus scrapes.
    Fleet(Prometheus),
}

/// The controller at work.
#[derive(Debug)]
pub struct Run {
    controller: Arc<Controller>,
    source: Source,
}

impl Run {
    /// A controller, and where its counts come from.
    pub fn new(controller: Arc<Controller>, source: Source) -> Run {
        Run { controller, source }
    }

    fn is_fleet(&self) -> bool {
        matches!(self.source, Source::Fleet(_))
    }

    async fn sample(&self) -> Result<Sampled, String> {
        match &self.source {
            Source::Local(local) => Ok(local.sample()),
            Source::Fleet(prometheus) => {
                let asked = Instant::now();
                let seen = prometheus.samples().await;
                let (samples, age) = seen.map_err(|fault| fault.to_string())?;
                let late = Millis::try_from(asked.elapsed().as_millis()).unwrap_or(Millis::MAX);
                Ok(Sampled { samples, age, late, exemplars: Vec::new() })
            }
        }
    }

    fn look(&self, seen: Result<Sampled, String>) {
        let (sampled, why) = match seen {
            Ok(sampled) => (Some(sampled), None),
            Err(why) => (None, Some(why)),
        };
        self.controller.note_blindness(why);
        // What went wrong is logged and shown there.
        let _ = self.controller.step(sampled, Vec::new());
    }

    /// Asks a fleet for requests that show an incident, each time another one is open. The flags are
    /// the rollback's already, and nothing waits for the answers.
    fn have_shown(&self, asked: &mut Option<String>) {
        if !self.is_fleet() {
            return;
        }
        let Some(Unshown { incident, since, instances }) = self.controller.unshown() else {
            return;
        };
        if asked.as_ref() == Some(&incident) {
            return;
        }
        *asked = Some(incident.clone());
        let controller = self.controller.clone();
        tokio::spawn(async move {
            let exemplars = exemplars::ask(&instances, since).await;
            if !exemplars.is_empty() {
                controller.show(Shown { incident, exemplars });
            }
        });
    }

    async fn run(&self) {
        let tick = Duration::from_millis(self.controller.plan().timing.tick);
        let mut looks = interval(LOOK.min(tick));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = Instant::now();
        let mut asked = None;
        // One look at a time: what comes up while it waits is done beside it.
        let mut seen = pin!(Fuse::terminated());
        loop {
            let mut woken = false;
            tokio::select! {
                _ = looks.tick() => {}
                () = self.controller.woken.notified() => woken = true,
                sampled = &mut seen => self.look(sampled),
            }
            if !self.controller.open() {
                self.controller.follow();
                continue;
            }
            if self.controller.is_kill_due() {
                let _ = self.controller.step(None, Vec::new());
            }
            if seen.is_terminated() && (woken || Instant::now() >= next) {
                next = Instant::now() + tick;
                seen.set(self.sample().fuse());
            }
            self.have_shown(&mut asked);
        }
    }
}

#[async_trait]
impl BackgroundService for Run {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.run() => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
        self.controller.close();
    }
}
