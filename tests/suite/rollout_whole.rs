//! Whole rollouts under traffic: a clean one reaches everybody, and what is slower, errs, loses its
//! mode or crosses rooms in fast mode is rolled back, named, and gone.

mod by_hand;
mod origins;
mod plan;
mod traffic;
mod world;

use modegate_filters::rollout::incident::Trigger;

use crate::parity::fault::Fault;
use crate::parity::room_of;
use origins::Does;
use plan::Errors;
use world::World;

/// So many more messages show that nothing is fast any more.
const AFTER: u64 = 500;

/// Another room, the same for every message.
fn crossed() -> Does {
    Does { fault: Fault::CrossRoom(room_of("somebody-elses")), ..Does::after_ms(5) }
}

/// Runs a rollout that must be rolled back by one of these triggers, at this hop.
async fn is_rolled_back(errors: Errors, fast: Does, others: Does, triggers: &[Trigger], hop: &str) {
    let world = World::start(&plan::rollout(errors), fast, others).await;
    let traffic = world.traffic("during");
    world.start_rollout().await;
    let ended = world.ended().await;
    assert_eq!(ended["phase"], "rolled_back", "{ended:#}");
    traffic.end().await;

    let incident = world.incident().await;
    assert!(triggers.contains(&incident.trigger), "{triggers:?}: {incident:#?}");
    assert!(incident.attribution.hop.starts_with(hop), "{hop}: {incident:#?}");
    assert!(incident.safe.is_some_and(|safe| safe >= incident.opened), "{incident:#?}");
    assert!(!incident.after.is_exposed(), "{incident:#?}");

    assert!(world.api.fast().seen() > 0, "nobody was exposed");
    let before = world.api.fast().seen();
    world.send("afterwards", 0, AFTER).await;
    assert_eq!(world.api.fast().seen(), before, "something is fast still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_traffic_reaches_everybody() {
    let (fast, others) = (Does::after_ms(4), Does::after_ms(8));
    let world = World::start(&plan::rollout(Errors::Coarse), fast, others).await;
    let traffic = world.traffic("during");
    world.start_rollout().await;
    let ended = world.ended().await;
    assert_eq!(ended["phase"], "done", "{ended:#}");
    assert_eq!(ended["percent"].as_f64(), Some(100.0), "{ended:#}");
    assert_eq!(ended["stage"]["of"], plan::LENGTH, "{ended:#}");
    let answered = traffic.end().await;
    assert_eq!(answered.erred, 0);
    assert_eq!(world.incidents().await, Vec::<serde_json::Value>::new());

    let before = world.api.others().seen();
    world.send("afterwards", AFTER, 0).await;
    assert_eq!(world.api.others().seen(), before, "everybody's is fast");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_slower_is_rolled_back() {
    let (fast, others) = (Does::after_ms(20), Does::after_ms(5));
    let triggers = [Trigger::Latency, Trigger::Tail];
    let hop = "API server: behind the leg frontend";
    is_rolled_back(Errors::Coarse, fast, others, &triggers, hop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_times_the_errors_are_rolled_back() {
    let errs = |of| Does { errs_of: of, ..Does::after_ms(5) };
    let hop = "API server: behind the leg frontend";
    is_rolled_back(Errors::Fine, errs(33), errs(100), &[Trigger::Errors], hop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_mode_is_rolled_back() {
    let fast = Does { fault: Fault::LoseMode, ..Does::after_ms(5) };
    let hop = "API server: between the legs frontend and bridge";
    is_rolled_back(Errors::Coarse, fast, Does::after_ms(5), &[Trigger::Mismatch], hop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossed_rooms_are_rolled_back() {
    let hop = "API server: between the legs frontend and bridge";
    is_rolled_back(Errors::Coarse, crossed(), Does::after_ms(5), &[Trigger::Contamination], hop)
        .await;
}
