//! What is simulated, and what must come of it: rollout facts, section 2.5.

use super::Bound;
use super::question::{Divided, Question};
use super::traffic::Shape;

/// The chance that a gate passes at its margin.
const PASS: f64 = 0.05;

/// The chance that a rollout is rolled back for nothing.
const ROLLOUT: f64 = 0.01;

/// The part of [`ROLLOUT`] that one gate has in one stage: of four gates in five stages.
const GATE: f64 = ROLLOUT / 20.0;

/// One scenario.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) counted: &'static str,
    pub(super) bound: Bound,
    /// At how many looks it ends, if before the others.
    pub(super) within: u32,
    pub(super) question: Question,
    pub(super) shape: Shape,
    pub(super) divided: Divided,
    pub(super) alpha: f64,
}

/// Every scenario.
pub(super) fn scenarios() -> Vec<Scenario> {
    [same(), margin(), harm(), latency()].concat()
}

/// Nothing differs, 10 % canary, errors of 1 %. One engine is asked at the α of a whole rollout, which
/// is harder than what a gate is asked.
const SAME: Scenario = Scenario {
    name: "nothing differs: errors",
    counted: "false rollback",
    bound: Bound::AtMost(ROLLOUT),
    within: u32::MAX,
    question: Question::Harm,
    shape: Shape {
        share: 0.1,
        rate: 0.01,
        errors: 1.0,
        sd: 0.8,
        latency: 1.0,
        icc: 0.0,
        requests: 1_000,
    },
    divided: Divided::By(None),
    alpha: ROLLOUT,
};

/// As [`SAME`], with users who make ten requests each on average, unevenly, that resemble each other.
const CLUSTERED: Scenario = Scenario {
    name: "nothing differs: errors, users clustered",
    shape: Shape { icc: 0.2, ..SAME.shape },
    ..SAME
};

fn same() -> Vec<Scenario> {
    let share = |name, share| Scenario { name, shape: Shape { share, ..SAME.shape }, ..SAME };
    vec![
        SAME,
        share("nothing differs: errors, 1 % share", 0.01),
        share("nothing differs: errors, 50 % share", 0.5),
        Scenario { name: "nothing differs: errors, not divided", divided: Divided::Not, ..SAME },
        CLUSTERED,
        Scenario {
            name: "nothing differs: errors, users clustered, not divided",
            divided: Divided::Not,
            bound: Bound::Exceeds(ROLLOUT),
            ..CLUSTERED
        },
        Scenario {
            name: "nothing differs: errors, users clustered, divided by one look's",
            divided: Divided::By(Some(1)),
            bound: Bound::Shown,
            ..CLUSTERED
        },
        Scenario {
            name: "nothing differs: slow answers, users clustered",
            question: Question::Tail,
            ..CLUSTERED
        },
        Scenario { name: "nothing differs: first events", question: Question::Slower(1.0), ..SAME },
        Scenario {
            name: "nothing differs: first events, users clustered",
            question: Question::Slower(1.0),
            ..CLUSTERED
        },
        Scenario {
            name: "nothing differs: any of the three",
            question: Question::Any(1.05),
            alpha: GATE,
            ..SAME
        },
        Scenario {
            name: "nothing differs: any of the three, users clustered",
            question: Question::Any(1.05),
            alpha: GATE,
            ..CLUSTERED
        },
    ]
}

fn margin() -> Vec<Scenario> {
    let at = Scenario {
        name: "errors at the margin",
        counted: "false advance",
        bound: Bound::AtMost(PASS),
        question: Question::Within(1.5),
        shape: Shape { errors: 1.5, ..SAME.shape },
        alpha: PASS,
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
            ..at
        },
    ]
}

/// What the facts ask for and no test can do: 99 % within 15 looks. At this α, one that looked at these
/// 15,000 requests only once, at the end, would find 98.3 %; this one, which may look at all times,
/// finds 92 %, and 99 % within 21 looks.
pub(super) const UNMET: &str = "errors three times, 15 looks, not divided";

fn harm() -> Vec<Scenario> {
    // Of independent requests whose design effect is known to be 1.
    let known = Scenario {
        name: "errors three times, 25 looks, not divided",
        counted: "detected",
        bound: Bound::AtLeast(0.99),
        within: 25,
        shape: Shape { errors: 3.0, ..SAME.shape },
        divided: Divided::Not,
        alpha: GATE,
        ..SAME
    };
    // As twenty replicates tell it, the design effect is often more than 1, which costs some looks.
    let told = Scenario { bound: Bound::Shown, divided: Divided::By(None), ..known };
    vec![
        Scenario { name: UNMET, within: 15, ..known },
        known,
        Scenario { name: "errors three times, 25 looks", ..told },
        Scenario {
            name: "errors three times",
            bound: Bound::AtLeast(0.99),
            within: u32::MAX,
            ..told
        },
        Scenario {
            name: "errors three times, users clustered",
            within: u32::MAX,
            shape: Shape { icc: 0.2, ..told.shape },
            ..told
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
        question: Question::Faster(0.95),
        shape: Shape { latency: 0.95, ..shape },
        alpha: PASS,
        ..SAME
    };
    let slower = Scenario {
        name: "first events at 1.05, stopped at 1.05",
        counted: "false rollback",
        bound: Bound::AtMost(ROLLOUT),
        question: Question::Slower(1.05),
        shape: Shape { latency: 1.05, ..shape },
        alpha: GATE,
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
