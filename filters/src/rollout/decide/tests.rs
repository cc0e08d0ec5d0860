mod outside;
mod phases;
mod properties;
mod world;

use super::*;
use crate::bucket::Share;
use crate::rollout::gates::GateVerdict;
use crate::rollout::incident::Trigger;
use crate::rollout::plan::Gate;
use crate::rollout::state::{Hold, Phase};
use world::{TICK, World, Wrong, arm, look};

#[test]
fn clean_traffic_reaches_everybody_and_waits_where_a_human_is_asked() {
    let mut world = World::started();
    world.until(Phase::AwaitingApproval, 2);
    assert_eq!(world.order(Verb::Approve).refused, []);
    world.until(Phase::Done, 4);
    assert_eq!(world.state.desired.share.percent(), 100.0);
    assert!(world.state.incident.is_none());
}

#[test]
fn each_fault_is_rolled_back_for_what_it_is() {
    let cases = [
        (Wrong::Errors, Trigger::Errors),
        (Wrong::Slow, Trigger::Latency),
        (Wrong::Lost, Trigger::Mismatch),
        (Wrong::Crossed, Trigger::Contamination),
        (Wrong::Altered, Trigger::Divergence),
        (Wrong::Severe, Trigger::Severe),
        (Wrong::Broken, Trigger::Mismatch),
        (Wrong::Faulty, Trigger::Quality),
    ];
    for (wrong, trigger) in cases {
        let mut world = World::started();
        world.until(Phase::Observing, 1);
        let mut looks = 0;
        while world.state.phase != Phase::RollingBack {
            looks += 1;
            assert!(looks < 20, "{wrong:?}: {:?}", world.state.phase);
            world.tick(wrong);
        }
        let rollback = world.state.rollback.unwrap();
        assert_eq!((rollback.trigger, rollback.hard), (trigger, false), "{wrong:?}");
        assert_eq!(world.state.desired.share, Share::NONE);
        let flags = world.state.desired.flags;
        assert_eq!((flags.contract, flags.runtime, flags.kill), (true, false, false));
        world.tick(Wrong::Nothing);
        let decision = world.tick(Wrong::Nothing);
        assert_eq!(world.state.phase, Phase::RolledBack, "{wrong:?}");
        let incident = decision.incident.unwrap();
        let why = match wrong {
            Wrong::Lost => "1 mismatch",
            Wrong::Crossed => "1 request or answer of another room",
            Wrong::Altered => "1 answer in another mode than asked for",
            _ => &incident.why,
        };
        assert_eq!(incident.why, why);
        assert_eq!((incident.trigger, incident.safe), (trigger, Some(world.at)));
        assert_eq!(incident.stage, "canary");
    }
}

#[test]
fn what_cannot_be_confirmed_becomes_hard_and_then_fails_until_it_is() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    world.order(Verb::Rollback { hard: false });
    assert!(!world.state.desired.flags.kill);
    for _ in 0..8 {
        world.tick(Wrong::Behind);
    }
    assert!(world.state.desired.flags.kill && world.state.rollback.unwrap().hard);
    for _ in 0..8 {
        world.tick(Wrong::Behind);
    }
    assert_eq!(world.state.phase, Phase::Failed);
    // A soft one does not lift the hard one.
    world.order(Verb::Rollback { hard: false });
    assert!(world.state.desired.flags.kill);
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.phase, Phase::RolledBack);
}

#[test]
fn mismatches_that_go_on_after_a_soft_rollback_make_it_hard() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    world.tick(Wrong::Lost);
    // Requests still leave in fast mode, so it is not over.
    for _ in 0..3 {
        world.at += TICK;
        let mut look = look(&world.state, Wrong::Lost);
        look.fast_left = 1;
        world.step(Some(look), Vec::new());
    }
    assert!(world.state.desired.flags.kill);
}

#[test]
fn it_starts_again_only_after_its_cool_down_and_from_the_stage_before() {
    let mut world = World::started();
    world.until(Phase::Observing, 2);
    world.order(Verb::Rollback { hard: true });
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.order(Verb::Start).refused.len(), 1);
    world.at += world.plan.timing.cool_down;
    assert_eq!(world.order(Verb::Start).refused, []);
    assert_eq!((world.state.phase, world.state.stage), (Phase::Applying, 1));
    assert!(!world.state.desired.flags.kill);
}

#[test]
fn laggards_blindness_and_other_hands_hold_it() {
    let mut world = World::started();
    for _ in 0..12 {
        world.tick(Wrong::Behind);
    }
    assert_eq!(world.state.held, Some(Hold::Skew { laggards: vec!["self".to_owned()] }));
    assert_eq!(world.order(Verb::Resume).refused, []);
    world.until(Phase::Observing, 1);
    for _ in 0..41 {
        world.tick(Wrong::Blind);
    }
    assert_eq!(world.state.held, Some(Hold::Blind));
    world.order(Verb::Resume);
    let other = Desired { generation: 90, share: Share::NONE, ..world.state.desired };
    let input = Input { at: world.at, document: Some(other), ..Input::default() };
    let decision = decide(&world.plan, &world.state, &input);
    assert_eq!(decision.state.held, Some(Hold::ExternalChange));
    assert_eq!(decision.state.desired.generation, 90);
}

#[test]
fn no_traffic_is_no_failure_and_no_pass() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    for _ in 0..110 {
        world.at += TICK;
        let mut look = look(&world.state, Wrong::Nothing);
        (look.canary, look.control) = (arm(0, 0, 1.0, 0), arm(0, 0, 1.0, 0));
        look.hops = Default::default();
        let decision = world.step(Some(look), Vec::new());
        assert!(
            decision.gates.iter().all(|gate| {
                gate.gate == Gate::Data || gate.verdict == GateVerdict::Inconclusive
            })
        );
    }
    assert_eq!(world.state.held, Some(Hold::Inconclusive));
    assert_eq!(world.state.stage, 1);
}

#[test]
fn the_kill_file_is_a_hard_rollback_in_every_phase() {
    let mut world = World::started();
    for stage in [0, 1] {
        world.until(Phase::Observing, stage);
        let input = Input { at: world.at, kill_file: true, ..Input::default() };
        let decision = decide(&world.plan, &world.state, &input);
        assert!(decision.state.desired.flags.kill);
        assert_eq!(decision.incident.unwrap().trigger, Trigger::KillFile);
    }
}

#[test]
fn what_is_decided_of_next_to_nothing_is_read_back() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    for _ in 0..3 {
        world.at += TICK;
        let mut look = look(&world.state, Wrong::Nothing);
        (look.canary, look.control) = (arm(6, 0, 1.0, 0), arm(6, 1, 1.0, 1));
        let decision = world.step(Some(look), Vec::new());
        let read: Decision =
            serde_json::from_str(&serde_json::to_string(&decision).unwrap()).unwrap();
        assert_eq!(read, decision);
    }
}

/// With fewer control requests than the base rates take, harm is found all the same.
#[test]
fn without_base_rates_nothing_passes_and_harm_is_found() {
    let mut world = World::started();
    world.plan.thresholds.baseline = 1_000_000_000;
    world.state.plan = world.plan.digest();
    world.until(Phase::Observing, 1);
    for _ in 0..20 {
        let decision = world.tick(Wrong::Nothing);
        let errors = decision.gates.iter().find(|gate| gate.gate == Gate::Errors).unwrap();
        assert_eq!(errors.verdict, GateVerdict::Inconclusive);
        assert!(errors.why.contains("base rate is not known"), "{}", errors.why);
    }
    while world.state.phase == Phase::Observing {
        world.tick(Wrong::Errors);
    }
    assert_eq!(world.state.rollback.unwrap().trigger, Trigger::Errors);
}
