//! `[rollout]`: which plan is followed, and where it keeps what it knows. What makes a plan sound
//! is decided in `modegate_filters::rollout::check`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use modegate_filters::bucket::{Canary, Share};
use modegate_filters::decide::Flags;
use modegate_filters::rollout::check;
use modegate_filters::rollout::plan::{
    Approval, Blind, Gate, Millis, Plan, Stage, Step, Thresholds, Timing,
};
use modegate_filters::route::Leg;

use crate::canary::percent;
use crate::flag_sources::FlagSources;
use crate::listener::Listener;
use crate::read::Section;
use crate::rule::{Rule, boolean, file, integer, number, plain, word};
use crate::traces::{Endpoint, endpoint};
use crate::value::{DAY, MILLISECOND, duration};

/// A state that a restart of the machine keeps.
const DEFAULT_STATE_DIR: &str = "/var/lib/modegate";
/// The flags document's name in the state directory.
const DOCUMENT: &str = "flags.json";
/// What Prometheus usually calls us.
const DEFAULT_JOB: &str = "modegate";

/// The longest id, name of a stage and name of a job, in bytes.
const NAME_LIMIT: usize = 256;
/// The longest dwell and cool-down that is no mistake.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most samples that a stage may ask for.
const SAMPLES: usize = 1_000_000_000;

/// `[rollout]`: the plan and its surroundings. In force until the process ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Whether the plan is followed at all; false.
    pub enabled: bool,
    /// `canary.salt`: with another one the shares of the plan are other members.
    pub salt: String,
    /// The plan, without faults; the default plan.
    pub plan: Plan,
    /// Where state and audit are kept; `/var/lib/modegate`.
    pub state_dir: PathBuf,
    /// A file whose existence is a hard rollback, `None` for none; none.
    pub kill_file: Option<PathBuf>,
    /// The flags document that is written; `flags.json` in the state directory.
    pub document: PathBuf,
    /// The Prometheus that is asked, `None` where this process's own counters are all; none.
    pub prometheus: Option<Endpoint>,
    /// The `job` label of the instances there; `modegate`.
    pub job: String,
}

/// Reads `[rollout]`; its plan's faults are the file's.
pub(crate) fn read(
    root: &mut Section<'_, '_>,
    canary: &Canary,
    listeners: &[Listener],
    sources: &FlagSources,
) -> Rollout {
    root.section("rollout", |section| {
        let enabled = section.take("enabled", false, boolean());
        let id = section.take("id", None, optional_name());
        let default = Plan::default_plan(id.as_deref().unwrap_or(&canary.salt));
        let state_dir = section.take("state_dir", PathBuf::from(DEFAULT_STATE_DIR), directory());
        let document = section.take("document", None, file());
        let kill_file = section.take("kill_file", None, file());
        let blind = [("hold", Blind::Hold), ("rollback", Blind::Rollback)];
        let blind = section.take("blind", default.blind, word(blind));
        let prometheus = section.take("prometheus", None, endpoint());
        let job = section.take("job", DEFAULT_JOB.to_owned(), plain(NAME_LIMIT));
        let thresholds = section.section("thresholds", thresholds);
        let timing = section.section("timing", timing);
        let stages = section.sections("stage", stage);
        let stages = if stages.is_empty() { default.stages } else { stages };
        let plan = Plan { id: default.id, stages, thresholds, timing, blind };
        if section.sound("stage") {
            check(section, &plan);
            if enabled && prometheus.is_none() {
                witnessed(section, &plan, listeners);
            }
        }
        let document = document.unwrap_or_else(|| state_dir.join(DOCUMENT));
        if enabled && prometheus.is_none() {
            alone(section, &document, sources);
        }
        let salt = canary.salt.clone();
        Rollout { enabled, salt, plan, document, state_dir, kill_file, prometheus, job }
    })
}

fn check(section: &Section<'_, '_>, plan: &Plan) {
    for fault in check::faults(plan) {
        let stage = format!("{}[{}]", section.path_of("stage"), fault.stage);
        let path = format!("{stage}.{}", fault.key);
        section.faults.refuse(&path, &[&stage], fault.found, fault.allowed);
    }
}

/// Somebody compares legs where a gate asks about it: this process, or those that Prometheus sees.
fn witnessed(section: &Section<'_, '_>, plan: &Plan, listeners: &[Listener]) {
    let bridge = listeners.iter().any(|listener| listener.leg == Leg::Bridge);
    let asks = plan.stages.iter().position(|stage| stage.gates.contains(&Gate::Parity));
    if let Some(place) = asks.filter(|_| !bridge) {
        let path = section.path_of("stage");
        let instead = [format!("{path}[{place}]"), section.path_of("enabled")];
        section.faults.refuse(
            &format!("{path}[{place}].gates"),
            &[&instead[0], &instead[1]],
            "\"parity\", without a listener of leg bridge and without rollout.prometheus"
                .to_owned(),
            "\"parity\" where one of them is there".to_owned(),
        );
    }
}

/// A rollout of this process alone is the only one that says what its flags are.
fn alone(section: &Section<'_, '_>, document: &Path, sources: &FlagSources) {
    let file = sources.file.as_deref().filter(|file| *file != document);
    let found = match (file, &sources.remote) {
        (Some(_), _) => "true beside flag_sources.file, without rollout.prometheus",
        (None, Some(_)) => "true beside flag_sources.remote, without rollout.prometheus",
        (None, None) => return,
    };
    let allowed = "true where flags come from the rollout alone, or rollout.prometheus says that it \
                   is a fleet's";
    section.refuse("enabled", found, allowed.to_owned());
}

fn stage(section: &mut Section<'_, '_>) -> Stage {
    let name = section.require("name", plain(NAME_LIMIT)).unwrap_or_default();
    let step = section.require("step", word(Step::ALL.map(|step| (step.name(), step))));
    let default = Stage::named(&name, step.unwrap_or(Step::Core));
    let gates = section.list("gates", word(Gate::ALL.map(|gate| (gate.name(), gate))));
    let approvals = [Approval::Automatic, Approval::Manual].map(|one| (one.name(), one));
    Stage {
        flags: Flags {
            contract: section.take("contract", false, boolean()),
            runtime: section.take("runtime", false, boolean()),
            ui: section.take("ui", false, boolean()),
            cloud_enforced: section.take("cloud_enforced", false, boolean()),
            kill: false,
        },
        share: section.take("percent", Share::NONE, percent()),
        min_dwell: millis(section, "min_dwell", default.min_dwell, Duration::ZERO..=MONTH),
        min_samples: samples(section, "min_samples", default.min_samples),
        max_dwell: millis(section, "max_dwell", default.max_dwell, Duration::ZERO..=MONTH),
        gates: gates.unwrap_or(default.gates),
        approval: section.take("approval", default.approval, word(approvals)),
        name: default.name,
        step: default.step,
    }
}

fn thresholds(section: &mut Section<'_, '_>) -> Thresholds {
    let default = Thresholds::default();
    let chance = || number(0.000_001..=0.5);
    let margin = || number(1.0..=100.0);
    Thresholds {
        alpha_pass: section.take("alpha_pass", default.alpha_pass, chance()),
        alpha_fail: section.take("alpha_fail", default.alpha_fail, chance()),
        mismatch_rate: section.take("mismatch_rate", default.mismatch_rate, chance()),
        coverage: section.take("coverage", default.coverage, number(0.0..=1.0)),
        errors_margin: section.take("errors_margin", default.errors_margin, number(0.0..=100.0)),
        errors_absolute: section.take(
            "errors_absolute",
            default.errors_absolute,
            number(0.0..=1.0),
        ),
        errors_ratio: section.take("errors_ratio", default.errors_ratio, margin()),
        latency_gain: section.take("latency_gain", default.latency_gain, number(0.0..=0.99)),
        latency_loss: section.take("latency_loss", default.latency_loss, number(0.0..=100.0)),
        latency_samples: samples(section, "latency_samples", default.latency_samples),
        tail_margin: section.take("tail_margin", default.tail_margin, margin()),
        quality_margin: section.take("quality_margin", default.quality_margin, margin()),
        min_samples: samples(section, "min_samples", default.min_samples),
        baseline: samples(section, "baseline", default.baseline),
    }
}

fn timing(section: &mut Section<'_, '_>) -> Timing {
    let default = Timing::default();
    Timing {
        tick: millis(section, "tick", default.tick, MILLISECOND..=DAY),
        apply: millis(section, "apply", default.apply, MILLISECOND..=DAY),
        settle: millis(section, "settle", default.settle, Duration::ZERO..=DAY),
        blind: millis(section, "blind", default.blind, MILLISECOND..=DAY),
        confirm: millis(section, "confirm", default.confirm, MILLISECOND..=DAY),
        cool_down: millis(section, "cool_down", default.cool_down, Duration::ZERO..=MONTH),
        lease: millis(section, "lease", default.lease, Duration::ZERO..=MONTH),
    }
}

fn millis(
    section: &mut Section<'_, '_>,
    key: &'static str,
    default: Millis,
    range: std::ops::RangeInclusive<Duration>,
) -> Millis {
    let taken = section.take(key, Duration::from_millis(default), duration(range));
    Millis::try_from(taken.as_millis()).unwrap_or(Millis::MAX)
}

fn samples(section: &mut Section<'_, '_>, key: &'static str, default: u64) -> u64 {
    section.optional(key, integer(0..=SAMPLES)).map_or(default, |number| number as u64)
}

fn optional_name() -> Rule<Option<String>> {
    let name = plain(NAME_LIMIT);
    let allowed = format!("{}, or \"\" for canary.salt", name.allowed);
    Rule::new(allowed, move |value| match value.as_str() {
        Some("") => Ok(None),
        _ => name.read(value).map(Some),
    })
}

fn directory() -> Rule<PathBuf> {
    Rule::text("a directory's path", |text| {
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    })
}
