//! The world without a plan: flags are set by hand, and what the rollout's gates go by is seen.

use std::time::Instant;

use super::origins::Does;
use super::world::World;
use super::{crossed, plan};
use crate::control_process::{command, file};
use crate::harness::TempDir;
use crate::parity::fault::Fault;

/// Half of everybody, once the flags are on.
const HALF: &str = "[canary]\npercent = 50\n";
/// So many messages of each arm.
const EACH: u64 = 600;

async fn on(world: &World) {
    world.modegate.flag("contract", true).await;
    world.modegate.flag("runtime", true).await;
}

#[tokio::test]
async fn the_plans_are_sound() {
    for errors in [plan::Errors::Coarse, plan::Errors::Fine] {
        let dir = TempDir::new();
        let text = plan::rollout(errors).replace("{dir}", &dir.path().display().to_string());
        let config = file(&dir, &text);
        let ended = command(&["check", "-c", &config], "").await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

/// Off, nothing is fast; on, half is, each arm at its own pace; off again, the next is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_arms_come_at_their_own_pace() {
    let world = World::start(HALF, Does::after_ms(4), Does::after_ms(8)).await;
    world.send("off", 0, EACH).await;
    assert_eq!(world.api.fast().seen(), 0);

    on(&world).await;
    let (began, before) = (Instant::now(), world.api.others().seen());
    world.send("on", EACH, EACH).await;
    let (fast, others) = (world.api.fast().seen(), world.api.others().seen() - before);
    let rate = (fast + others) as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} messages a second");
    let share = fast as f64 / (fast + others) as f64;
    assert!((0.4..0.6).contains(&share), "{share} fast");
    for (cohort, seen) in [("canary", fast), ("control", others)] {
        for name in ["requests", "firsts"] {
            let series = format!("modegate_rollout_{name}_total");
            world.modegate.counted(&series, &[("cohort", cohort)], seen as f64).await;
        }
        assert!(world.counted("errors", cohort).await < 0.5, "{cohort}");
    }
    let [canary, control] =
        [world.first_event_ms("canary").await, world.first_event_ms("control").await];
    println!("first events: canary {canary:.1} ms, control {control:.1} ms");
    assert!(canary < 0.9 * control, "{canary} ms, {control} ms of the control");
    let verdicts = crate::parity::chain::verdicts(&world.modegate, "bridge").await;
    assert_eq!(verdicts.keys().collect::<Vec<_>>(), ["match"], "{verdicts:?}");
    let acks = [("leg", "bridge"), ("verdict", "ack_match")];
    world.modegate.counted("modegate_parity_total", &acks, verdicts["match"] as f64).await;

    world.modegate.flag("runtime", false).await;
    let before = world.api.fast().seen();
    world.send("off-again", 0, EACH).await;
    assert_eq!(world.api.fast().seen(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_slower_or_errs_is_counted_so() {
    let errs = |of, ms| Does { errs_of: of, ..Does::after_ms(ms) };
    let world = World::start(HALF, errs(33, 20), errs(100, 5)).await;
    on(&world).await;
    world.send("on", EACH, EACH).await;
    for (cohort, arm) in [("canary", world.api.fast()), ("control", world.api.others())] {
        let labels = [("cohort", cohort)];
        let erred = arm.erred() as f64;
        assert!(erred > 0.0, "{cohort}");
        world.modegate.counted("modegate_rollout_errors_total", &labels, erred).await;
        let firsts = arm.seen() as f64 - erred;
        world.modegate.counted("modegate_rollout_firsts_total", &labels, firsts).await;
    }
    let [canary, control] =
        [world.first_event_ms("canary").await, world.first_event_ms("control").await];
    assert!(canary > 1.5 * control, "{canary} ms, {control} ms of the control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_loses_its_mode_or_its_room_is_counted_so() {
    let lost = Does { fault: Fault::LoseMode, ..Does::after_ms(5) };
    for (fast, verdict) in [(lost, "mode_missing"), (crossed(), "room_crossed")] {
        let world = World::start(HALF, fast, Does::after_ms(5)).await;
        on(&world).await;
        world.send("on", EACH / 10, EACH / 10).await;
        let verdicts = crate::parity::chain::verdicts(&world.modegate, "bridge").await;
        let expected = [("match", world.api.others()), (verdict, world.api.fast())];
        let expected = expected.map(|(verdict, arm)| (verdict.to_owned(), arm.seen()));
        assert_eq!(verdicts, expected.into_iter().collect(), "{verdict}");
    }
}
