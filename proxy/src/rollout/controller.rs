//! The controller: one step looks, decides, writes down what was decided, and has the flags document
//! say it. What exposes anybody was written down before; what takes exposure away is done whatever
//! cannot be written.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modegate_config::{Document, Rollout};
use modegate_filters::rollout::decide::{Command, Decision, Input, decide};
use modegate_filters::rollout::gates::GateReport;
use modegate_filters::rollout::incident::{Incident, Shown};
use modegate_filters::rollout::looks::{Looks, Sample};
use modegate_filters::rollout::observe::{Exemplar, Instance, Observations, Signal};
use modegate_filters::rollout::plan::{Millis, Plan};
use modegate_filters::rollout::report::markdown;
use modegate_filters::rollout::state::{Phase, State};
use serde_json::Value;
use tokio::sync::Notify;

use super::actuation::{Actuation, exposes_nobody_else};
use super::incidents::Incidents;
use super::journal::{Journal, OpenError, Whose};
use super::view;
use crate::flags::{DocumentFile, Store};
use crate::moment::now;

/// So many signals wait for a step; more of them say nothing more.
const SIGNALS: usize = 100;

/// Why an order was not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// It is out of place now.
    Refused(String),
    /// It could not be written down, or the rollout is not open here.
    Failed(String),
}

/// Runs one rollout.
#[derive(Debug)]
pub struct Controller {
    plan: Plan,
    salt: String,
    state_dir: PathBuf,
    kill_file: Option<PathBuf>,
    actuation: Actuation,
    incidents: Incidents,
    inner: Mutex<Inner>,
    /// How often each phase was entered since the start.
    entered: [AtomicU64; Phase::ALL.len()],
    /// Something was signalled that a look should follow at once.
    pub(super) woken: Notify,
}

/// What changes from step to step.
#[derive(Debug, Default)]
pub(super) struct Inner {
    /// `None` while another process has it, or it cannot be read.
    pub(super) open: Option<Open>,
    /// What was signalled since the last step.
    signals: Vec<Signal>,
    /// What cannot be read or written, in words.
    pub(super) fault: Option<String>,
    /// Why nothing was seen at the last look.
    pub(super) blind: Option<String>,
}

/// A rollout that is open here.
#[derive(Debug)]
pub(super) struct Open {
    journal: Journal,
    pub(super) state: State,
    looks: Looks,
    pub(super) gates: Vec<GateReport>,
    pub(super) instances: Vec<Instance>,
    /// An incident whose report could not be written yet.
    unreported: Option<Incident>,
}

/// What a source saw: the counts of each instance, how old the newest are, and requests that show
/// what went wrong; all of the moment when it was asked.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// The instances.
    pub samples: Vec<Sample>,
    /// The age of the oldest of their counts; `None` where there are none.
    pub age: Option<Millis>,
    /// How long ago the source was asked.
    pub late: Millis,
    /// Newest last.
    pub exemplars: Vec<Exemplar>,
}

/// An incident that nothing shows yet, and whom to ask for requests that do.
#[derive(Clone, Debug)]
pub(super) struct Unshown {
    /// Its id.
    pub(super) incident: String,
    /// When its stage began.
    pub(super) since: Millis,
    /// Those of the last look.
    pub(super) instances: Vec<Instance>,
}

/// Where a rollout is, for metrics.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `None` while it is not open here.
    pub phase: Option<Phase>,
    /// The number of its stage, from 1; 0 before it is started.
    pub stage: usize,
    /// Whether an incident is not known to be over.
    pub has_incident: bool,
    /// What the gates said at the last look.
    pub gates: Vec<GateReport>,
    /// Whether something cannot be seen, read or written.
    pub is_faulty: bool,
    /// How often each phase was entered, in the order of [`Phase::ALL`].
    pub entered: [u64; Phase::ALL.len()],
}

impl Controller {
    /// The controller of a rollout, open where no other process has it. With a store the flags of the
    /// rollout's document are in force in it when this returns. What cannot be read or written is no
    /// reason not to serve: it is logged, and tried again.
    pub fn new(settings: &Rollout, store: Option<Arc<Store>>) -> Arc<Controller> {
        let plan = settings.plan.clone();
        let file = DocumentFile::new(settings.document.clone());
        let controller = Controller {
            actuation: Actuation { rollout: plan.id.clone(), file, store },
            plan,
            salt: settings.salt.clone(),
            state_dir: settings.state_dir.clone(),
            kill_file: settings.kill_file.clone(),
            incidents: Incidents::new(&settings.state_dir),
            inner: Mutex::default(),
            entered: Default::default(),
            woken: Notify::new(),
        };
        controller.follow();
        controller.open();
        Arc::new(controller)
    }

    /// Opens the rollout where it is not open yet; whether it is then.
    pub(super) fn open(&self) -> bool {
        let mut inner = self.lock();
        if inner.open.is_some() {
            return true;
        }
        let opened = Journal::open(&self.state_dir, &self.plan, &self.salt).and_then(
            |(mut journal, state, looks)| {
                let before = self.actuation.found().map_or(0, |found| found.generation);
                let state = state.unwrap_or_else(|| State::new(&self.plan, before, now()));
                let begun = journal.begin(now(), &self.plan, &state);
                begun
                    .and_then(|()| journal.save(&state, &looks))
                    .map_err(|error| OpenError::Io(self.state_dir.clone(), error))?;
                Ok(Open {
                    journal,
                    state,
                    looks,
                    gates: Vec::new(),
                    instances: Vec::new(),
                    unreported: None,
                })
            },
        );
        match opened {
            Ok(open) => {
                let (phase, stage) = (open.state.phase.word(), open.state.stage);
                tracing::info!(rollout = %self.plan.id, phase, stage, "rollout open");
                (inner.open, inner.fault) = (Some(open), None);
            }
            Err(error) => {
                let error = error.to_string();
                if inner.fault.as_ref() != Some(&error) {
                    tracing::error!(rollout = %self.plan.id, %error, "rollout not open");
                }
                inner.fault = Some(error);
            }
        }
        inner.open.is_some()
    }

    /// Lets another process have the rollout.
    pub(super) fn close(&self) {
        self.lock().open = None;
    }

    /// What another process has the document say; of another rollout's nobody is exposed.
    pub(super) fn follow(&self) {
        match self.is_anothers() {
            true => self.actuation.follow_unexposed(),
            false => self.actuation.follow(),
        }
    }

    /// Whether the state is another rollout's, by its id or by the members that it draws.
    fn is_anothers(&self) -> bool {
        let asked = Whose::new(&self.plan, &self.salt);
        Whose::kept(&self.state_dir).is_some_and(|kept| !kept.is(&asked))
    }

    /// Follows an order at once; says where the rollout is then.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub fn order(&self, command: Command) -> Result<Value, OrderError> {
        let decision = self.step(None, vec![command])?;
        match decision.refused.into_iter().next() {
            Some((_, why)) => Err(OrderError::Refused(why)),
            None => Ok(self.view()),
        }
    }

    /// Takes what somebody else says of the answers, and acts on it at once; says where the rollout is
    /// then. What cannot be written down waits for the next step, and is in what is said as a fault.
    ///
    /// # Errors
    /// Where the rollout is not open here, or too many wait.
    pub fn signal(&self, signal: Signal) -> Result<Value, OrderError> {
        let mut inner = self.lock();
        if inner.open.is_none() {
            return Err(not_open(&inner));
        }
        if inner.signals.len() >= SIGNALS {
            return Err(OrderError::Failed(format!("{SIGNALS} signals wait already")));
        }
        inner.signals.push(signal);
        drop(inner);
        let _ = self.step(None, Vec::new());
        // A look confirms what follows from it.
        self.woken.notify_one();
        Ok(self.view())
    }

    /// Keeps why a look saw nothing, where it did not.
    pub(super) fn note_blindness(&self, why: Option<String>) {
        let mut inner = self.lock();
        if let Some(why) = why.as_ref().filter(|why| inner.blind.as_ref() != Some(why)) {
            tracing::error!(rollout = %self.plan.id, why, "the rollout sees nothing");
        }
        inner.blind = why;
    }

    /// Where the rollout is.
    pub fn view(&self) -> Value {
        view::rollout(&self.plan, &self.lock(), now())
    }

    /// The flags document, as sidecars are to take it over: what the file says, or what is desired
    /// where that only takes exposure away and could not be written.
    ///
    /// # Errors
    /// Where the file cannot be read, and what is desired exposes somebody, in words.
    pub fn document(&self) -> Result<Option<Document>, String> {
        let inner = self.lock();
        if inner.open.is_none() && self.is_anothers() {
            return self.actuation.served_unexposed();
        }
        let open = inner.open.as_ref().filter(|open| open.state.phase != Phase::Draft);
        let desired = open.map(|open| open.state.desired);
        self.actuation.served(desired.as_ref())
    }

    /// What went wrong so far.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// Whether it is the rollout of other processes, and none of this one's flags follows it.
    pub fn leads_fleet(&self) -> bool {
        self.actuation.store.is_none()
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where it is, for metrics.
    pub fn reading(&self) -> Reading {
        let inner = self.lock();
        let open = inner.open.as_ref();
        let state = open.map(|open| &open.state);
        let begun = state.filter(|state| state.phase != Phase::Draft);
        let incident = state.and_then(|state| state.incident.as_ref());
        Reading {
            phase: state.map(|state| state.phase),
            stage: begun.map_or(0, |state| self.plan.place(state.stage) + 1),
            has_incident: incident.is_some_and(|incident| incident.safe.is_none()),
            gates: open.map(|open| open.gates.clone()).unwrap_or_default(),
            is_faulty: inner.fault.is_some() || inner.blind.is_some(),
            entered: self.entered.each_ref().map(|count| count.load(Relaxed)),
        }
    }

    /// Whether the kill file is there.
    pub(super) fn is_killed(&self) -> bool {
        self.kill_file.as_ref().is_some_and(|file| file.exists())
    }

    /// Whether a step is due for the kill file alone.
    pub(super) fn is_kill_due(&self) -> bool {
        let killed =
            |inner: &Inner| inner.open.as_ref().is_some_and(|open| open.state.desired.flags.kill);
        self.is_killed() && !killed(&self.lock())
    }

    /// The incident that goes on and that no request shows, if instances are known to ask.
    pub(super) fn unshown(&self) -> Option<Unshown> {
        let inner = self.lock();
        let open = inner.open.as_ref().filter(|open| !open.instances.is_empty())?;
        let incident = open.state.incident.as_ref()?;
        let is_bare = incident.safe.is_none() && incident.exemplars.is_empty();
        is_bare.then(|| Unshown {
            incident: incident.id.clone(),
            since: open.state.stage_entered,
            instances: open.instances.clone(),
        })
    }

    /// Adds requests to the incident that they were asked for, and writes its report again.
    pub(super) fn show(&self, shown: Shown) {
        // What went wrong is logged and shown there.
        let _ = self.take(None, Vec::new(), Some(shown));
    }

    /// One step: what was seen and ordered, what follows from it, written down and done.
    ///
    /// # Errors
    /// Where the rollout is not open here, or what exposes somebody could not be written down.
    pub(super) fn step(
        &self,
        sampled: Option<Sampled>,
        commands: Vec<Command>,
    ) -> Result<Decision, OrderError> {
        self.take(sampled, commands, None)
    }

    fn take(
        &self,
        sampled: Option<Sampled>,
        commands: Vec<Command>,
        shown: Option<Shown>,
    ) -> Result<Decision, OrderError> {
        let mut inner = self.lock();
        let Inner { open: Some(open), signals, .. } = &mut *inner else {
            return Err(not_open(&inner));
        };
        let at = now();
        let mut looks = open.looks.clone();
        let mut heard = std::mem::take(signals);
        let look = sampled.map(|sampled| {
            // What was ordered while it was on its way was not seen by it.
            let asked = at.saturating_sub(sampled.late);
            let age = sampled.age.map(|age| age.saturating_add(sampled.late));
            let mut look: Observations = looks.look(asked, sampled.samples, age);
            let since = open.state.stage_entered;
            look.exemplars = sampled.exemplars.into_iter().filter(|one| one.at >= since).collect();
            look.signals = std::mem::take(&mut heard);
            look
        });
        let document = self.actuation.found();
        let kill_file = self.is_killed();
        let input = Input { at, look, commands, document, kill_file, shown, signals: heard };
        let decision = decide(&self.plan, &open.state, &input);
        let safer = exposes_nobody_else(Some(&open.state.desired), &decision.state.desired);
        let written = open.journal.step((&self.plan, &open.state), &input, &decision);
        let mut faults: Vec<String> = Vec::new();
        if let Err(error) = written {
            let fault = format!("the audit could not be written: {error}");
            if !safer {
                tracing::error!(rollout = %self.plan.id, fault);
                signals.extend(input.heard().cloned());
                inner.fault = Some(fault.clone());
                return Err(OrderError::Failed(fault));
            }
            faults.push(fault);
        }
        for note in &decision.notes {
            tracing::warn!(rollout = %self.plan.id, "{note}");
        }
        if decision.state.phase != open.state.phase
            && let Some(count) = self.entered.get(decision.state.phase as usize)
        {
            count.fetch_add(1, Relaxed);
        }
        if let Some(look) = &input.look {
            open.instances.clone_from(&look.instances);
            open.gates.clone_from(&decision.gates);
        }
        (open.state, open.looks) = (decision.state.clone(), looks);
        if open.state.phase != Phase::Draft {
            faults.extend(self.actuation.actuate(&open.state.desired).err());
        }
        if let Err(error) = open.journal.save(&open.state, &open.looks) {
            faults.push(format!("the state could not be saved: {error}"));
        }
        if decision.incident.is_some() {
            open.unreported.clone_from(&decision.incident);
        }
        if let Some(incident) = &open.unreported {
            match self.report(incident) {
                Ok(()) => open.unreported = None,
                Err(error) => faults.push(error),
            }
        }
        self.fault(&mut inner, faults);
        Ok(decision)
    }

    fn report(&self, incident: &Incident) -> Result<(), String> {
        let json = serde_json::to_string_pretty(incident).map_err(|error| error.to_string())?;
        self.incidents
            .write(&incident.id, &json, &markdown(incident))
            .map_err(|error| format!("incident {} could not be written: {error}", incident.id))
    }

    fn fault(&self, inner: &mut Inner, faults: Vec<String>) {
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        if let Some(fault) = fault.as_ref().filter(|fault| inner.fault.as_ref() != Some(fault)) {
            tracing::error!(rollout = %self.plan.id, fault, "the rollout cannot do all it should");
        }
        inner.fault = fault;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_open(inner: &Inner) -> OrderError {
    let why = inner.fault.clone().unwrap_or_default();
    OrderError::Failed(format!("the rollout is not open here: {why}"))
}

#[cfg(test)]
mod tests;
