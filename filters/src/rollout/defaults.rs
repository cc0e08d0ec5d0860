//! The plan that holds where nobody wrote one: twelve stages of the seven steps.

use crate::bucket::Share;
use crate::decide::Flags;
use crate::rollout::plan::{Approval, Blind, Gate, Millis, Plan, Stage, Step, Thresholds, Timing};

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;

/// A rollout that is undecided after a week is a human's to look at.
const DEADLINE: Millis = 7 * 24 * HOUR;
/// Long enough for a whole day's traffic, once everybody has it.
const BAKE: Millis = 24 * HOUR;

/// Nothing compares legs yet, or nobody reads the answer.
const DATA: [Gate; 1] = [Gate::Data];
/// The contract travels, and nobody is exposed.
const PATH: [Gate; 2] = [Gate::Data, Gate::Parity];
/// Nobody is left to compare with.
const ALONE: [Gate; 3] = [Gate::Parity, Gate::Quality, Gate::Data];

const OFF: Flags =
    Flags { contract: false, runtime: false, ui: false, cloud_enforced: false, kill: false };
const CARRIED: Flags = Flags { contract: true, ..OFF };
const READY: Flags = Flags { runtime: true, ..CARRIED };
const ENFORCED: Flags = Flags { cloud_enforced: true, ..READY };
const SHOWN: Flags = Flags { ui: true, ..ENFORCED };

/// Percent, least dwell and least samples of the canary's stages: each share is watched longer, as
/// each puts more people at risk.
const CANARY: [(f64, Millis, u64); 6] = [
    (0.5, 10 * MINUTE, 200),
    (1.0, 15 * MINUTE, 400),
    (5.0, 20 * MINUTE, 1_000),
    (10.0, 30 * MINUTE, 2_000),
    (25.0, 45 * MINUTE, 5_000),
    (50.0, HOUR, 10_000),
];

impl Plan {
    /// The default plan under this id.
    pub fn default_plan(id: &str) -> Plan {
        Plan {
            id: id.to_owned(),
            stages: stages(),
            thresholds: Thresholds::default(),
            timing: Timing::default(),
            blind: Blind::Hold,
        }
    }
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            alpha_pass: 0.05,
            alpha_fail: 0.01,
            mismatch_rate: 0.001,
            coverage: 0.95,
            errors_margin: 0.5,
            errors_absolute: 0.005,
            errors_ratio: 1.25,
            latency_gain: 0.05,
            latency_loss: 0.05,
            latency_samples: 10_000,
            tail_margin: 1.4,
            quality_margin: 1.5,
            min_samples: 200,
            baseline: 10_000,
        }
    }
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            tick: 15 * SECOND,
            apply: 3 * MINUTE,
            settle: 30 * SECOND,
            blind: 10 * MINUTE,
            confirm: 2 * MINUTE,
            cool_down: 30 * MINUTE,
            lease: 30 * MINUTE,
        }
    }
}

impl Stage {
    /// A stage of which only this much is said: all flags off, nobody exposed, ten minutes to a
    /// week, the data gate, and it goes on by itself.
    pub fn named(name: &str, step: Step) -> Stage {
        Stage {
            name: name.to_owned(),
            step,
            flags: OFF,
            share: Share::NONE,
            min_dwell: 10 * MINUTE,
            min_samples: 0,
            max_dwell: DEADLINE,
            gates: DATA.to_vec(),
            approval: Approval::Automatic,
        }
    }
}

fn stages() -> Vec<Stage> {
    let core = Stage::named("core", Step::Core);
    let cloud = Stage { flags: CARRIED, ..Stage::named("cloud", Step::Cloud) };
    let api = Stage { flags: READY, gates: PATH.to_vec(), ..Stage::named("api", Step::Api) };
    let observability = Stage {
        flags: READY,
        gates: PATH.to_vec(),
        min_dwell: 30 * MINUTE,
        ..Stage::named("observability", Step::Observability)
    };
    let ui = Stage {
        flags: SHOWN,
        approval: Approval::Manual,
        ..exposed("ui", Step::Ui, (50.0, HOUR, 10_000))
    };
    let expansion = Stage {
        flags: SHOWN,
        gates: ALONE.to_vec(),
        ..exposed("expansion", Step::Expansion, (100.0, BAKE, 10_000))
    };
    let before = [core, cloud, api, observability];
    before.into_iter().chain(CANARY.map(canary)).chain([ui, expansion]).collect()
}

fn canary(row: (f64, Millis, u64)) -> Stage {
    let stage = exposed(&format!("canary-{}", row.0), Step::Canary, row);
    // Half of everybody is where a human looks before the rest.
    match row.0 < 50.0 {
        true => stage,
        false => Stage { approval: Approval::Manual, ..stage },
    }
}

fn exposed(name: &str, step: Step, (percent, dwell, samples): (f64, Millis, u64)) -> Stage {
    Stage {
        flags: ENFORCED,
        share: Share::from_percent(percent).unwrap_or(Share::NONE),
        min_dwell: dwell,
        min_samples: samples,
        gates: Gate::ALL.to_vec(),
        ..Stage::named(name, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::check::faults;

    #[test]
    fn the_default_plan_is_twelve_sound_stages_of_all_steps() {
        let plan = Plan::default_plan("fast-mode/2026-12");
        assert_eq!(faults(&plan), []);
        let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let expected = "core cloud api observability canary-0.5 canary-1 canary-5 canary-10 \
                        canary-25 canary-50 ui expansion";
        assert_eq!(names.join(" "), expected);
        let mut steps: Vec<Step> = plan.stages.iter().map(|stage| stage.step).collect();
        steps.dedup();
        assert_eq!(steps, Step::ALL);
        let percents: Vec<f64> = plan.stages.iter().map(|stage| stage.share.percent()).collect();
        assert_eq!(percents, [0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 50.0, 100.0]);
        let by_hand = plan.stages.iter().filter(|stage| stage.approval == Approval::Manual);
        assert_eq!(
            by_hand.map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
            ["canary-50", "ui"]
        );
    }
}
