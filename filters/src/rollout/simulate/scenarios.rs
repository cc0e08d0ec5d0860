//! What is simulated, and what must come of it: rollout facts, section 2.5.

use super::Bound;
use super::question::{Question, Trial};
use super::traffic::Shape;
use crate::rollout::plan::{Gate, Plan, Stage, Step};

/// The chance that a gate passes at its margin.
const PASS: f64 = 0.05;

/// The chance that a rollout is rolled back for nothing.
const ROLLOUT: f64 = 0.01;

/// The gates that compare.
const COMPARING: &[Gate] = &[Gate::Errors, Gate::Tail, Gate::Quality, Gate::Latency];

const ERRORS: &[Gate] = &[Gate::Errors];
const TAIL: &[Gate] = &[Gate::Tail];
const LATENCY: &[Gate] = &[Gate::Latency];

/// One scenario.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) counted: &'static str,
    pub(super) bound: Bound,
    /// At how many looks it ends, if before the others.
    pub(super) within: u32,
    question: Question,
    shape: Shape,
    /// How many looks there are before anybody is exposed; `None` for what the thresholds ask for.
    before: Option<u32>,
    /// The rise of errors that passes in absolute terms; `None` for the default.
    absolute: Option<f64>,
}

impl Scenario {
    /// As a rollout by the default plan, at a stage of its later ones.
    pub(super) fn trial(&self, looks: u32) -> Trial {
        let mut plan = Plan::default_plan("simulated");
        let go_by = &mut plan.thresholds;
        go_by.errors_absolute = self.absolute.unwrap_or(go_by.errors_absolute);
        let asked = go_by.baseline.div_ceil(self.shape.requests.max(1) as u64);
        let before = self.before.unwrap_or(u32::try_from(asked).unwrap_or(u32::MAX));
        let (gates, share) = (self.question.gates().to_vec(), self.shape.shares());
        let of_default =
            plan.stages.iter().rev().find(|stage| stage.gates.contains(&Gate::Latency));
        let stage = of_default.map(|stage| Stage { gates, share, ..stage.clone() });
        let stage = stage.unwrap_or_else(|| Stage::named("none", Step::Canary));
        Trial { plan, stage, question: self.question, shape: self.shape, before, looks }
    }
}

/// Every scenario.
pub(super) fn scenarios() -> Vec<Scenario> {
    [same(), margin(), harm(), latency()].concat()
}

/// Nothing differs, 10 % canary, errors of 1 %.
const SAME: Scenario = Scenario {
    name: "nothing differs: errors",
    counted: "false rollback",
    bound: Bound::AtMost(ROLLOUT),
    within: u32::MAX,
    question: Question::Fails(ERRORS),
    shape: Shape {
        share: 0.1,
        rate: 0.01,
        errors: 1.0,
        sd: 0.8,
        latency: 1.0,
        icc: 0.0,
        told: true,
        requests: 1_000,
    },
    before: None,
    absolute: None,
};

/// As [`SAME`], with users who make ten requests each on average, unevenly, that resemble each other.
const CLUSTERED: Scenario = Scenario {
    name: "nothing differs: errors, users clustered",
    shape: Shape { icc: 0.2, ..SAME.shape },
    ..SAME
};

fn same() -> Vec<Scenario> {
    let share = |name, share, of: Scenario| {
        let shape = Shape { share, ..of.shape };
        Scenario { name, shape, ..of }
    };
    let asked =
        |name, gates, of: Scenario| Scenario { name, question: Question::Fails(gates), ..of };
    let any = asked("nothing differs: any gate, users clustered", COMPARING, CLUSTERED);
    vec![
        SAME,
        share("nothing differs: errors, 1 % share", 0.01, SAME),
        share("nothing differs: errors, 50 % share", 0.5, SAME),
        CLUSTERED,
        share("nothing differs: errors, 50 % share, users clustered", 0.5, CLUSTERED),
        Scenario {
            name: "nothing differs: errors, users clustered but not told",
            shape: Shape { told: false, ..CLUSTERED.shape },
            bound: Bound::Exceeds(ROLLOUT),
            ..CLUSTERED
        },
        asked("nothing differs: slow answers, users clustered", TAIL, CLUSTERED),
        asked("nothing differs: first events, users clustered", LATENCY, CLUSTERED),
        asked("nothing differs: any gate", COMPARING, SAME),
        any,
        share("nothing differs: any gate, 50 % share, users clustered", 0.5, any),
        Scenario {
            name: "nothing differs: any gate, users clustered, one look before",
            before: Some(1),
            ..any
        },
    ]
}

fn margin() -> Vec<Scenario> {
    let at = Scenario {
        name: "errors at the margin",
        counted: "false advance",
        bound: Bound::AtMost(PASS),
        question: Question::Passes(ERRORS),
        shape: Shape { errors: 1.5, ..SAME.shape },
        // So that the margin is 1.5 whatever the base rate is told to be.
        absolute: Some(0.0),
        ..SAME
    };
    vec![
        at,
        Scenario {
            name: "errors at the margin, 50 % share",
            shape: Shape { share: 0.5, ..at.shape },
            ..at
        },
        Scenario {
            name: "errors at the margin, users clustered",
            shape: Shape { icc: 0.2, ..at.shape },
            ..at
        },
        Scenario {
            name: "errors alike, 50 % share",
            counted: "advanced",
            bound: Bound::Shown,
            shape: Shape { share: 0.5, ..SAME.shape },
            absolute: None,
            ..at
        },
    ]
}

fn harm() -> Vec<Scenario> {
    let shown = Scenario {
        name: "errors three times, 15 looks of 1000 requests",
        counted: "detected",
        bound: Bound::Shown,
        within: 15,
        shape: Shape { errors: 3.0, ..SAME.shape },
        ..SAME
    };
    let sized = |name, requests| {
        let shape = Shape { requests, ..shown.shape };
        Scenario { name, shape, ..shown }
    };
    let enough = sized("errors three times, 15 looks of 2000 requests", 2_000);
    vec![
        shown,
        sized("errors three times, 15 looks of 1250 requests", 1_250),
        sized("errors three times, 15 looks of 1500 requests", 1_500),
        Scenario { bound: Bound::AtLeast(0.99), ..enough },
        Scenario {
            name: "errors three times",
            bound: Bound::AtLeast(0.99),
            within: u32::MAX,
            ..shown
        },
        Scenario {
            name: "errors three times, users clustered",
            within: u32::MAX,
            shape: Shape { icc: 0.2, ..shown.shape },
            ..shown
        },
    ]
}

fn latency() -> Vec<Scenario> {
    // Half as many requests a look, as in the facts.
    let shape = Shape { requests: 500, ..SAME.shape };
    let faster = Scenario {
        name: "first events at .95, asked for .95",
        counted: "false advance",
        bound: Bound::AtMost(PASS),
        question: Question::Passes(LATENCY),
        shape: Shape { latency: 0.95, ..shape },
        ..SAME
    };
    let slower = Scenario {
        name: "first events at 1.05, stopped at 1.05",
        counted: "false rollback",
        bound: Bound::AtMost(ROLLOUT),
        question: Question::Fails(LATENCY),
        shape: Shape { latency: 1.05, ..shape },
        ..SAME
    };
    let detected = Scenario {
        name: "first events at 1.2, stopped at 1.05",
        counted: "detected",
        bound: Bound::AtLeast(0.95),
        shape: Shape { latency: 1.2, ..shape },
        ..slower
    };
    let advanced = Scenario {
        name: "first events at .85, asked for .95",
        counted: "advanced",
        bound: Bound::AtLeast(0.95),
        shape: Shape { latency: 0.85, ..shape },
        ..faster
    };
    let clustered = |name, of: Scenario| Scenario {
        name,
        bound: if of.counted.starts_with("false") { of.bound } else { Bound::Shown },
        shape: Shape { icc: 0.2, ..of.shape },
        ..of
    };
    vec![
        faster,
        clustered("first events at .95, asked for .95, users clustered", faster),
        slower,
        clustered("first events at 1.05, stopped at 1.05, users clustered", slower),
        detected,
        clustered("first events at 1.2, stopped at 1.05, users clustered", detected),
        advanced,
        clustered("first events at .85, asked for .95, users clustered", advanced),
    ]
}
