//! What is believed in which phase: breakers, gates on the way, stale looks, what is seen after a
//! rollback.

use super::super::*;
use super::world::{TICK, World, Wrong, look};
use crate::bucket::Share;
use crate::rollout::gates::GateVerdict;
use crate::rollout::incident::{Shown, Trigger};
use crate::rollout::observe::{Breaker, Exemplar};
use crate::rollout::state::Phase;

fn rolled_back(hard: bool) -> World {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    world.order(Verb::Rollback { hard });
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.phase, Phase::RolledBack);
    world
}

/// A look whose instance has a document so much older, with its breaker open.
fn broken(world: &mut World, older: u64) -> Decision {
    world.at += TICK;
    let mut seen = look(&world.state, Wrong::Nothing);
    seen.instances[0].generation -= older;
    seen.instances[0].breaker = Some(Breaker::Errors);
    world.step(Some(seen), Vec::new())
}

#[test]
fn a_breaker_of_before_the_start_does_not_fire_and_one_of_since_does() {
    let mut world = rolled_back(false);
    world.at += world.plan.timing.cool_down;
    world.order(Verb::Start);
    broken(&mut world, 1);
    assert_eq!(world.state.phase, Phase::Applying);
    // The first stage is applied; on the way to the next, an instance that lags trips.
    world.until(Phase::Applying, 1);
    assert_eq!(world.state.desired.generation, world.state.started + 1);
    broken(&mut world, 1);
    assert_eq!(world.state.rollback.unwrap().trigger, Trigger::Errors);
    assert_eq!(world.state.phase, Phase::RollingBack);
}

#[test]
fn gates_fail_on_the_way_and_what_they_saw_passes_nothing() {
    for phase in [Phase::Applying, Phase::Settling] {
        for (wrong, trigger) in [(Wrong::Errors, Trigger::Errors), (Wrong::Slow, Trigger::Latency)]
        {
            let mut world = World::started();
            world.until(phase, 2);
            // So that it stays on the way.
            (world.plan.timing.apply, world.plan.timing.settle) = (u64::MAX, u64::MAX);
            world.state.plan = world.plan.digest();
            let mut looks = 0;
            while world.state.phase == phase {
                world.at += TICK;
                let mut seen = look(&world.state, wrong);
                seen.instances[0].generation -= u64::from(phase == Phase::Applying);
                world.step(Some(seen), Vec::new());
                looks += 1;
                assert!(looks < 20, "{phase:?} {wrong:?}");
            }
            assert_eq!(world.state.rollback.unwrap().trigger, trigger, "{phase:?}");
        }
    }
    let mut world = World::started();
    world.until(Phase::Settling, 1);
    let decision = world.tick(Wrong::Nothing);
    assert!(!decision.gates.is_empty() && world.state.evidence.canary_seen() > 0);
    world.until(Phase::Observing, 1);
    assert_eq!(world.state.evidence.canary_seen(), 0);
}

#[test]
fn what_failed_where_nobody_is_exposed_may_be_tried_again() {
    let mut world = World::started();
    world.plan.stages[0].flags.runtime = false;
    world.state = State::new(&world.plan, 0, 0);
    world.order(Verb::Start);
    world.until(Phase::Observing, 0);
    world.tick(Wrong::Lost);
    assert_eq!(world.state.phase, Phase::Held);
    let command =
        Command { verb: Verb::Resume, actor: "ann".to_owned(), reason: "mended".to_owned() };
    let seen = look(&world.state, Wrong::Nothing);
    world.step(Some(seen), vec![command]);
    assert_eq!(world.state.phase, Phase::Applying);
}

#[test]
fn a_stale_look_confirms_nothing() {
    let stale = |world: &mut World, age| {
        world.at += TICK;
        let mut seen = look(&world.state, Wrong::Nothing);
        seen.age = age;
        world.step(Some(seen), Vec::new())
    };
    let mut applied = World::started();
    for age in [None, Some(2 * TICK + 1), Some(TICK + 1)] {
        stale(&mut applied, age);
    }
    // The third is fresh, and newer than the order.
    assert_eq!(applied.state.phase, Phase::Settling);
    for age in [None, Some(2 * TICK + 1), Some(TICK + 1)] {
        let mut world = World::started();
        world.until(Phase::Observing, 1);
        world.order(Verb::Rollback { hard: false });
        stale(&mut world, age);
        assert_eq!(world.state.rollback.unwrap().quiet, 0, "{age:?}");
    }
}

#[test]
fn what_leaves_after_a_rollback_makes_it_hard_and_then_fails() {
    let leaves = |world: &mut World, age| {
        world.at += TICK;
        let mut seen = look(&world.state, Wrong::Nothing);
        (seen.fast_left, seen.age) = (3, age);
        world.step(Some(seen), Vec::new())
    };
    let mut world = rolled_back(false);
    let incident = world.state.incident.clone().unwrap();
    for age in [None, Some(2 * TICK + 1)] {
        leaves(&mut world, age);
        assert_eq!(world.state.phase, Phase::RolledBack, "{age:?}");
    }
    world.at += world.plan.timing.cool_down;
    let mut seen = look(&world.state, Wrong::Nothing);
    seen.fast_left = 3;
    let start = Command { verb: Verb::Start, actor: "ann".to_owned(), reason: "again".to_owned() };
    let decision = world.step(Some(seen), vec![start]);
    assert_eq!(decision.refused.len(), 1);
    assert_eq!(world.state.phase, Phase::RollingBack);
    assert!(world.state.desired.flags.kill && world.state.rollback.unwrap().hard);
    let same = decision.incident.unwrap();
    assert_eq!((same.id, same.safe), (incident.id, None));
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.phase, Phase::RolledBack);
    let decision = leaves(&mut world, Some(0));
    assert_eq!((world.state.phase, world.state.desired.share), (Phase::Failed, Share::NONE));
    assert!(decision.notes.iter().any(|note| note.contains("left in fast mode")));
    leaves(&mut world, Some(0));
    assert_eq!(world.state.phase, Phase::Failed);
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.phase, Phase::RolledBack);
    assert!(decision.gates.iter().all(|gate| gate.verdict != GateVerdict::Pass));
}

#[test]
fn after_a_rollback_of_everybody_it_begins_with_the_stage_before_the_last() {
    let mut world = World::started();
    world.until(Phase::AwaitingApproval, 2);
    world.order(Verb::Approve);
    world.until(Phase::Done, 4);
    let baseline = world.state.evidence.baseline.clone();
    world.order(Verb::Rollback { hard: false });
    world.until(Phase::RolledBack, 4);
    world.at += world.plan.timing.cool_down;
    assert_eq!(world.order(Verb::Start).refused, []);
    assert_eq!((world.state.stage, world.state.phase), (2, Phase::Applying));
    // What the control is like is known still; whom somebody trusted then is not.
    assert_eq!(world.state.evidence.baseline, baseline);
    assert_eq!(world.state.attestation, None);
}

#[test]
fn mismatches_that_go_on_make_a_rollback_hard() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    world.order(Verb::Rollback { hard: false });
    for looks in 1..=3 {
        assert!(!world.state.desired.flags.kill, "after {} looks", looks - 1);
        assert_eq!(world.state.phase, Phase::RollingBack);
        world.tick(Wrong::Lost);
    }
    assert!(world.state.desired.flags.kill);
}

#[test]
fn requests_that_are_found_afterwards_are_shown_of_their_own_incident() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    let opened = world.tick(Wrong::Lost).incident.unwrap();
    let exemplar = |request_id: &str| Exemplar {
        at: world.at,
        leg: "bridge".to_owned(),
        what: "mode_missing".to_owned(),
        expected: "fast".to_owned(),
        found: "none".to_owned(),
        request_id: request_id.to_owned(),
        trace_id: "t".repeat(32),
    };
    let [mine, others] = [vec![exemplar("mine")], vec![exemplar("another's")]];
    let cases = [("1-errors", &others, 0), (&opened.id, &vec![], 0), (&opened.id, &mine, 1)];
    for (incident, exemplars, expected) in cases {
        let shown = Shown { incident: incident.to_owned(), exemplars: exemplars.clone() };
        let (at, document) = (world.at + 1, Some(world.state.desired));
        let input = Input { at, document, shown: Some(shown), ..Input::default() };
        let after = decide(&world.plan, &world.state, &input);
        assert_eq!(after.incident.is_some(), expected > 0, "{incident}");
        let incident = after.state.incident.as_ref().unwrap();
        assert_eq!(incident.exemplars, mine[..expected], "{after:?}");
        assert_eq!(after.state.desired, world.state.desired);
        assert_eq!(after.state.phase, Phase::RollingBack);
    }
}
