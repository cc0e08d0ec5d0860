//! What holds whatever is seen and ordered.

use proptest::prelude::*;

use super::super::*;
use super::world::{TICK, WRONG, Wrong, look, plan};
use crate::bucket::Share;
use crate::rollout::gates::GateVerdict;
use crate::rollout::state::{Hold, Phase};

fn verb() -> impl Strategy<Value = Option<Verb>> {
    prop_oneof![
        12 => Just(None),
        1 => Just(Some(Verb::Start)),
        1 => Just(Some(Verb::Hold)),
        1 => Just(Some(Verb::Resume)),
        1 => Just(Some(Verb::Approve)),
        1 => Just(Some(Verb::Advance)),
        1 => any::<bool>().prop_map(|hard| Some(Verb::Rollback { hard })),
        1 => Just(Some(Verb::Abort)),
    ]
}

/// What somebody else writes: nothing, everybody, or nobody.
fn edit() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![40 => Just(None), 1 => Just(Some(100.0)), 1 => Just(Some(0.0))]
}

type Moment = (u8, Option<Verb>, i64, Option<f64>, bool);

fn course() -> impl Strategy<Value = Vec<Moment>> {
    let wrong = prop_oneof![30 => Just(0_u8), 1 => 1..WRONG.len() as u8];
    // Now and then the clock is set, forth or back.
    let passes = prop_oneof![20 => Just(TICK as i64), 1 => Just(2_000_000), 1 => Just(-700_000)];
    let replanned = prop_oneof![60 => Just(false), 1 => Just(true)];
    prop::collection::vec((wrong, verb(), passes, edit(), replanned), 1..160)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Only passed gates or a human let a stage end; the share never rises but by a new stage's; what
    /// fails takes exposure away in the same step; generations never fall; and what was decided once
    /// is decided again from what was written down, bit for bit.
    #[test]
    fn invariants_and_replay(course in course()) {
        let mut plan = plan();
        let first = plan.clone();
        let mut state = State::new(&plan, 0, 0);
        let mut at = 1_000_000_000_u64;
        let mut written = Vec::new();
        for (wrong, verb, passes, edit, replanned) in course {
            at = at.saturating_add_signed(passes);
            plan.thresholds.min_samples += u64::from(replanned);
            let wrong = WRONG[usize::from(wrong)];
            let seen = (state.phase != Phase::Draft).then(|| look(&state, wrong));
            let command = |verb| Command { verb, actor: "ann".to_owned(), reason: "x".to_owned() };
            let mut document = state.desired;
            if let Some(percent) = edit {
                document.generation += 1;
                document.share = Share::from_percent(percent).unwrap();
            }
            let input = Input {
                at,
                look: seen,
                commands: verb.map(command).into_iter().collect(),
                document: Some(document).filter(|_| state.phase != Phase::Draft),
                ..Input::default()
            };
            let before = state.clone();
            let decision = decide(&plan, &state, &input);
            state = decision.state.clone();
            prop_assert!(state.desired.generation >= before.desired.generation);
            let ordered = matches!(
                verb,
                Some(Verb::Advance | Verb::Approve | Verb::Start | Verb::Resume)
            ) && decision.refused.is_empty();
            if state.stage > before.stage && !ordered {
                prop_assert!(decision.gates.iter().all(|gate| gate.verdict == GateVerdict::Pass));
                prop_assert_eq!(decision.gates.len(), plan.stages[before.stage].gates.len());
            }
            if state.desired.share > before.desired.share {
                prop_assert_eq!(state.phase, Phase::Applying);
                prop_assert!(ordered || state.stage == before.stage + 1);
            }
            let failed = decision.gates.iter().any(|gate| gate.verdict == GateVerdict::Fail);
            let fires = matches!(
                wrong,
                Wrong::Lost | Wrong::Crossed | Wrong::Altered | Wrong::Severe | Wrong::Broken
            ) && before.phase != Phase::Draft;
            if failed || fires {
                prop_assert!(!state.desired.is_exposed() || state.desired.share == Share::NONE,
                    "{:?} {:?}", state.phase, state.desired);
            }
            let resting = matches!(
                state.phase,
                Phase::RollingBack | Phase::RolledBack | Phase::Failed
            );
            prop_assert!(!resting || state.desired.share == Share::NONE);
            prop_assert!(!resting || !state.desired.flags.runtime);
            let line = serde_json::to_string(&(&input, &decision)).unwrap();
            written.push((before, plan.clone(), line));
        }
        let mut again = State::new(&first, 0, 0);
        for (before, plan, line) in written {
            prop_assert_eq!(&again, &before);
            let (_, read): (Input, Decision) = serde_json::from_str(&line).unwrap();
            let kept: serde_json::Value = serde_json::from_str(&line).unwrap();
            let input: Input = serde_json::from_value(kept[0].clone()).unwrap();
            let state = serde_json::to_string(&again).unwrap();
            again = serde_json::from_str(&state).unwrap();
            let decision = decide(&plan, &again, &input);
            prop_assert_eq!(serde_json::to_string(&(&input, &decision)).unwrap(), line);
            prop_assert_eq!(&decision, &read);
            again = decision.state;
        }
    }

    /// Deciding, writing down the state and writing the document are three steps; wherever the process
    /// ends between them, the document comes to say what it would have said.
    #[test]
    fn a_crash_between_any_two_steps_converges(crashes in prop::collection::vec(0..4_u8, 60)) {
        let plan = plan();
        let run = |crashes: &[u8]| {
            let mut stored = State::new(&plan, 0, 0);
            let mut document: Option<Desired> = None;
            let mut at = 0;
            let mut began_again = false;
            for crash in crashes {
                at += TICK;
                // What a restart does first: the document is made to say what is stored.
                if began_again && stored.phase != Phase::Draft {
                    document = Some(stored.desired);
                }
                began_again = *crash > 0;
                let first = stored.phase == Phase::Draft;
                let start = Command { verb: Verb::Start, actor: "ann".to_owned(), reason: "x".to_owned() };
                let mut seen = look(&stored, Wrong::Nothing);
                seen.instances[0].generation = document.map_or(0, |document| document.generation);
                let input = Input {
                    at,
                    look: Some(seen),
                    commands: if first { vec![start] } else { Vec::new() },
                    document,
                    ..Input::default()
                };
                let decision = decide(&plan, &stored, &input);
                // 1: before anything was stored; 2: before the document was written; 3: while it was,
                // which a rename makes all or nothing.
                if *crash == 1 {
                    continue;
                }
                stored = decision.state;
                let is_written = document.is_some_and(|document| {
                    document.generation >= stored.desired.generation
                });
                if *crash < 2 && stored.phase != Phase::Draft && !is_written {
                    document = Some(stored.desired);
                }
            }
            // What a restart does first: the document is made to say what is stored.
            if stored.phase != Phase::Draft {
                document = Some(stored.desired);
            }
            (stored, document)
        };
        let mut course = crashes.clone();
        course.extend([0; 60]);
        let (state, document) = run(&course);
        prop_assert!(state.stage >= 1, "{:?} {:?}", state.phase, state.held);
        prop_assert_eq!(document.unwrap().share, state.desired.share);
        let is_skew = matches!(state.held, Some(Hold::Skew { .. }));
        prop_assert!(state.held.is_none() || is_skew);
    }
}
