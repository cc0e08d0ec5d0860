//! What others change: the plan, the document, the lease, the clock.

use super::super::*;
use super::world::{TICK, World, Wrong, look, plan};
use crate::bucket::Share;
use crate::rollout::plan::{Stage, Thresholds};
use crate::rollout::state::{Hold, Phase};

fn found(world: &World, document: Desired) -> Decision {
    let input = Input { at: world.at, document: Some(document), ..Input::default() };
    decide(&world.plan, &world.state, &input)
}

#[test]
fn an_edit_that_raises_exposure_is_taken_back_and_one_that_lowers_it_stands() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    let desired = world.state.desired;
    let edit = |change: &dyn Fn(&mut Desired)| {
        let mut document = Desired { generation: 90, ..desired };
        change(&mut document);
        document
    };
    let most = Share::from_percent(100.0).unwrap();
    type Change = (&'static str, fn(&mut Desired), bool);
    let cases: [Change; 4] = [
        ("lower share", |document| document.share = Share::NONE, false),
        ("kill", |document| document.flags.kill = true, false),
        ("runtime off", |document| document.flags.runtime = false, false),
        ("toggle", |document| document.flags.ui = true, true),
    ];
    for (name, change, raises) in cases {
        let document = edit(&change);
        let state = found(&world, document).state;
        assert_eq!(state.held, Some(Hold::ExternalChange), "{name}");
        let expected = if raises { desired } else { document };
        assert_eq!(state.desired.generation, if raises { 91 } else { 90 }, "{name}");
        assert_eq!((state.desired.flags, state.desired.share), (expected.flags, expected.share));
    }
    // What lowers one and raises the other keeps the lower of each.
    let both = edit(&|document| {
        document.flags.runtime = false;
        document.share = most;
    });
    let state = found(&world, both).state;
    assert_eq!((state.desired.generation, state.desired.share), (91, desired.share));
    assert!(!state.desired.flags.runtime);
}

#[test]
fn once_it_is_done_a_lesser_document_is_held_and_resume_has_the_last_stage_pass_again() {
    let mut world = World::started();
    world.until(Phase::AwaitingApproval, 2);
    world.order(Verb::Approve);
    world.until(Phase::Done, 4);
    let full = world.state.desired;
    world.state = found(&world, Desired { generation: 90, share: Share::NONE, ..full }).state;
    assert_eq!((world.state.phase, world.state.desired.share), (Phase::Held, Share::NONE));
    assert_eq!(world.order(Verb::Resume).refused, []);
    assert_eq!((world.state.phase, world.state.desired.share), (Phase::Applying, full.share));
    world.until(Phase::Done, 4);
    assert_eq!(world.state.desired.share, full.share);
}

#[test]
fn kill_contract_and_runtime_are_not_given_back() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    let full = world.state.desired;
    let lesser: [fn(&mut Desired); 3] = [
        |document| document.flags.kill = true,
        |document| document.flags.contract = false,
        |document| document.flags.runtime = false,
    ];
    for lower in lesser {
        let mut state = world.state.clone();
        lower(&mut state.desired);
        let input = Input {
            at: world.at,
            document: Some(Desired { generation: 90, ..full }),
            ..Input::default()
        };
        let after = decide(&world.plan, &state, &input).state;
        assert_eq!(after.desired.flags, state.desired.flags);
        assert_eq!((after.desired.generation, after.held), (91, Some(Hold::ExternalChange)));
    }
}

#[test]
fn exposure_that_somebody_gives_back_after_a_rollback_is_confirmed_to_be_gone_again() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    let before = world.state.desired;
    world.order(Verb::Rollback { hard: false });
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.phase, Phase::RolledBack);
    let after = found(&world, Desired { generation: 90, ..before });
    assert_eq!((after.state.phase, after.state.desired.generation), (Phase::RollingBack, 91));
    assert_eq!(after.state.desired.share, Share::NONE);
    assert_eq!(after.incident.unwrap().safe, None);
}

#[test]
fn a_lease_that_is_over_is_renewed_in_a_new_generation() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    let desired = world.state.desired;
    let until = desired.lease_until.unwrap();
    // Over in what is desired, over in what is written, or half over.
    let cases = [(until, until, 1), (until - TICK, until - TICK, 1), (until - TICK, until, 0)];
    for (at, written, more) in cases {
        let document = Some(Desired { lease_until: Some(written), ..desired });
        let input = Input { at, document, ..Input::default() };
        let after = decide(&world.plan, &world.state, &input).state.desired;
        assert_eq!(after.generation, desired.generation + more, "{at} {written}");
        assert_eq!((after.flags, after.share), (desired.flags, desired.share));
        assert_eq!(after.lease_until, Some(at + world.plan.timing.lease));
    }
}

#[test]
fn another_plan_is_held_until_somebody_resumes_it() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    let generation = world.state.desired.generation;
    world.plan.thresholds.min_samples += 1;
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.held, Some(Hold::PlanChanged));
    assert_eq!(world.state.desired.generation, generation);
    assert_eq!(world.order(Verb::Advance).refused.len(), 1);
    let mut renamed = world.plan.clone();
    renamed.stages[1].name = "other".to_owned();
    let same = std::mem::replace(&mut world.plan, renamed);
    let refused = world.order(Verb::Resume).refused;
    assert!(refused[0].1.ends_with("roll back, then start"), "{refused:?}");
    world.plan = same;
    assert_eq!(world.order(Verb::Resume).refused, []);
    assert_eq!((world.state.phase, world.state.stage), (Phase::Applying, 1));
    assert_eq!(world.state.plan, world.plan.digest());
    // What fails is taken back whatever plan it is.
    world.until(Phase::Observing, 1);
    world.plan.thresholds = Thresholds { min_samples: 7, ..world.plan.thresholds };
    world.tick(Wrong::Lost);
    assert_eq!(world.state.phase, Phase::RollingBack);
}

#[test]
fn another_plan_is_adopted_where_nothing_goes_on() {
    let mut world = World::started();
    world.until(Phase::Observing, 2);
    world.order(Verb::Rollback { hard: false });
    // The stage has moved: the start is before the one of its name.
    let first = world.plan.stages[0].clone();
    let added = ["new", "newer"].map(|name| Stage { name: name.to_owned(), ..first.clone() });
    world.plan.stages.splice(0..0, added);
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!((world.state.phase, world.state.rollback.unwrap().stage), (Phase::RolledBack, 4));
    assert_eq!(world.state.plan, world.plan.digest());
    world.plan.stages.truncate(3);
    world.at += world.plan.timing.cool_down;
    assert_eq!(world.order(Verb::Start).refused, []);
    assert_eq!((world.state.phase, world.state.stage), (Phase::Applying, 0));

    let mut world = World::started();
    world.until(Phase::AwaitingApproval, 2);
    world.order(Verb::Approve);
    world.until(Phase::Done, 4);
    world.plan.stages.push(first);
    world.tick(Wrong::Nothing);
    assert_eq!((world.state.phase, world.state.stage), (Phase::Done, 5));

    let mut world = World { state: State::new(&plan(), 0, 0), ..World::started() };
    world.plan.id = "another".to_owned();
    assert_eq!(world.order(Verb::Start).refused, []);
    assert_eq!(world.state.rollout, "another");
}

/// Long after the beginning of time.
fn late() -> World {
    let at = 20_000_000;
    let mut world = World { at, state: State::new(&plan(), 0, at), ..World::started() };
    world.order(Verb::Start);
    world.until(Phase::Observing, 1);
    world
}

#[test]
fn a_clock_that_is_set_back_puts_no_deadline_off() {
    for back in [0, TICK, 10_000_000] {
        let mut world = late();
        world.order(Verb::Rollback { hard: false });
        for at in 0..8 {
            world.tick(Wrong::Behind);
            if at == 3 {
                world.at -= back;
            }
        }
        // The tick in which the clock is set back lasts no time.
        if back > 0 {
            world.tick(Wrong::Behind);
        }
        assert!(world.state.rollback.unwrap().hard, "{back}");
    }
}

#[test]
fn every_moment_goes_back_with_the_clock() {
    let world = late();
    let before = world.state.clone();
    let mut after = before.clone();
    after.keep_time(world.at - 5_000);
    assert_eq!(after.entered, before.entered - 5_000);
    assert_eq!(after.stage_entered, before.stage_entered - 5_000);
    assert_eq!(after.observing_since, before.observing_since.map(|at| at - 5_000));
    assert_eq!(after.seen_at, before.seen_at.map(|at| at - 5_000));
    assert_eq!(after.desired.lease_until, before.desired.lease_until.map(|at| at - 5_000));
    assert_eq!(after.newest, world.at - 5_000);
    let seen = look(&world.state, Wrong::Nothing);
    let input = Input { at: world.at - 5_000, look: Some(seen), ..Input::default() };
    assert_eq!(decide(&world.plan, &before, &input), decide(&world.plan, &after, &input));
}
