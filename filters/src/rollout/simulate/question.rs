//! What is asked of a made-up rollout, and when the answer is yes: by the engines that the gates go
//! by.

use super::random::Random;
use super::traffic::{Shape, Traffic};
use crate::rollout::counts::{EProcess, design_effect};
use crate::rollout::latency::{Latencies, cluster_effect, interval};
use crate::rollout::observe::{Arm, REPLICATES, Replicate};

/// When latency is expected to be decided.
const EXPECTED: u64 = 10_000;

/// What a gate might say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// That the canary errs more often.
    Harm,
    /// That it errs less than so many times as often.
    Within(f64),
    /// That more of its answers are slow.
    Tail,
    /// That its first event comes sooner than so much of the control's.
    Faster(f64),
    /// That it comes later.
    Slower(f64),
    /// That it errs more often, has more slow answers, or is later than so much: any of what rolls
    /// back.
    Any(f64),
}

/// What the counts are divided by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Divided {
    /// By nothing.
    Not,
    /// By what was seen of the control in so many looks before; `None` for as many as the rollout's.
    By(Option<u32>),
}

/// What was seen before anybody was exposed.
struct Baseline {
    errors: f64,
    tail: f64,
    slow_above: usize,
}

impl Baseline {
    fn see(shape: Shape, divided: Divided, looks: u32, random: &mut Random) -> Baseline {
        let seen = if let Divided::By(Some(few)) = divided { few } else { looks };
        // Other users than the rollout's, of the same kind: what is divided by owes them nothing.
        let traffic = Traffic::new(Shape { share: 0.0, ..shape }, looks, random);
        let mut parts = [Replicate::default(); REPLICATES];
        let mut latencies = Latencies::default();
        for _ in 0..seen {
            let [_, control] = traffic.look(random);
            for (sum, part) in parts.iter_mut().zip(&control.replicates) {
                sum.errors += part.errors;
            }
            latencies.add(&control);
        }
        let slow_above = latencies.quantile_edge(0.95).unwrap_or(usize::MAX);
        match divided {
            Divided::Not => Baseline { errors: 1.0, tail: 1.0, slow_above },
            Divided::By(_) => Baseline {
                errors: design_effect(&parts),
                tail: cluster_effect(&latencies),
                slow_above,
            },
        }
    }
}

/// What has been seen of a rollout so far.
struct Evidence {
    baseline: Baseline,
    errors: EProcess,
    tail: EProcess,
    canary: Latencies,
    control: Latencies,
}

impl Question {
    /// The look, from 1, at which the answer is yes for the first time.
    pub(super) fn ask(
        self,
        shape: Shape,
        divided: Divided,
        alpha: f64,
        looks: u32,
        random: &mut Random,
    ) -> Option<u32> {
        let errors = match self {
            Question::Within(margin) => EProcess::pass(margin),
            _ => EProcess::harm(),
        };
        let mut evidence = Evidence {
            baseline: Baseline::see(shape, divided, looks, random),
            errors,
            tail: EProcess::harm(),
            canary: Latencies::default(),
            control: Latencies::default(),
        };
        let traffic = Traffic::new(shape, looks, random);
        (1..=looks).find(|_| {
            evidence.take(&traffic.look(random));
            evidence.says(self, alpha)
        })
    }
}

impl Evidence {
    fn take(&mut self, arms: &[Arm; 2]) {
        let Baseline { errors, tail, slow_above } = self.baseline;
        let [canary, control] = arms;
        let failed = |arm: &Arm| (arm.requests(), arm.errors() as f64 / errors);
        self.errors.look(failed(canary), failed(control));
        let slow = |arm: &Arm| {
            let above: u64 = arm.first.iter().skip(slow_above.saturating_add(1)).sum();
            (arm.first.iter().sum(), above as f64 / tail)
        };
        self.tail.look(slow(canary), slow(control));
        self.canary.add(canary);
        self.control.add(control);
    }

    fn says(&self, question: Question, alpha: f64) -> bool {
        let between = || interval(&self.canary, &self.control, alpha, EXPECTED);
        match question {
            Question::Harm | Question::Within(_) => self.errors.rejects(alpha),
            Question::Tail => self.tail.rejects(alpha),
            Question::Faster(most) => between().is_some_and(|found| found.high <= most),
            Question::Slower(least) => between().is_some_and(|found| found.low >= least),
            Question::Any(least) => [Question::Harm, Question::Tail, Question::Slower(least)]
                .into_iter()
                .any(|one| self.says(one, alpha)),
        }
    }
}
