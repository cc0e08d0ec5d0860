//! What is asked of a made-up rollout, and when the answer is yes: by the gates.

use super::random::Random;
use super::traffic::{Shape, Traffic};
use crate::bucket::Share;
use crate::rollout::gates::{GateVerdict, Gates};
use crate::rollout::observe::{Arm, Instance, Observations};
use crate::rollout::plan::{Gate, Millis, Plan, Stage};
use crate::rollout::state::State;

/// What gates might say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// That one of these fails.
    Fails(&'static [Gate]),
    /// That this one passes.
    Passes(&'static [Gate]),
}

/// A rollout that can be made up again and again.
pub(super) struct Trial {
    pub(super) plan: Plan,
    /// The stage that is looked at.
    pub(super) stage: Stage,
    pub(super) question: Question,
    pub(super) shape: Shape,
    /// How many looks there are before anybody is exposed.
    pub(super) before: u32,
    pub(super) looks: u32,
}

impl Trial {
    /// The look, from 1, at which the answer is yes for the first time.
    pub(super) fn ask(&self, random: &mut Random) -> Option<u32> {
        let mut state = State::new(&self.plan, 0, 0);
        // Other users than the rollout's, of the same kind: what is divided by owes them nothing.
        let traffic = Traffic::new(Shape { share: 0.0, ..self.shape }, self.looks, random);
        for at in 0..self.before {
            let look = look(traffic.look(random));
            state.evidence.absorb(&self.plan, &look, self.at(at), false);
        }
        state.evidence.next_stage();
        let traffic = Traffic::new(self.shape, self.looks, random);
        (1..=self.looks).find(|number| {
            let (look, at) = (look(traffic.look(random)), self.at(self.before + number));
            state.evidence.absorb(&self.plan, &look, at, true);
            let gates = Gates { plan: &self.plan, state: &state, look: &look, at };
            self.question.is_answered(&gates, &self.stage)
        })
    }

    fn at(&self, look: u32) -> Millis {
        u64::from(look) * self.plan.timing.tick
    }
}

impl Question {
    pub(super) fn gates(self) -> &'static [Gate] {
        let (Question::Fails(gates) | Question::Passes(gates)) = self;
        gates
    }

    fn is_answered(self, gates: &Gates<'_>, stage: &Stage) -> bool {
        let wanted = match self {
            Question::Fails(_) => GateVerdict::Fail,
            Question::Passes(_) => GateVerdict::Pass,
        };
        gates.evaluate(stage).iter().any(|report| report.verdict == wanted)
    }
}

impl Shape {
    pub(super) fn shares(self) -> Share {
        Share::from_percent(100.0 * self.share).unwrap_or(Share::NONE)
    }
}

/// A look that is fresh and the same everywhere.
fn look([canary, control]: [Arm; 2]) -> Observations {
    let instance = Instance {
        name: "self".to_owned(),
        up: true,
        generation: 0,
        breaker: None,
        overridden: false,
    };
    let instances = vec![instance];
    Observations { canary, control, instances, age: Some(0), ..Observations::default() }
}
