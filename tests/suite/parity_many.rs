//! Ten thousand messages, many at once, through frontend leg, API server and bridge leg: of every
//! single one it is said what became of it, and nothing else.

mod carried;
mod identical;
mod lanes;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::parity::chain::{Chain, said};
use lanes::{Seen, WINDOW, send};
use plan::Plan;

const MESSAGES: usize = 10_000;
/// How many clients send at once, each one message after the other.
const CLIENTS: usize = 128;
const SEED: u64 = 10_000;

/// Half of the rooms are canary; who has no room of its own is bucketed by a header.
const SETTINGS: &str = "[flags]\ncontract = true\nruntime = true\n\
     [canary]\npercent = 50\nkey = [\"room\", \"header:x-user\"]\n";

/// Of each fault at least so many must really be there.
const SEEN: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_messages_every_verdict_is_right() {
    let plan = Arc::new(Plan::of(SEED, MESSAGES, CLIENTS));
    let treats = plan.clone();
    let treat =
        move |message: &crate::parity::Message| treats.of_id(&message.request_id).treatment.clone();
    let chain = Chain::start(&format!("{SETTINGS}{WINDOW}"), treat).await;
    send(&chain, plan.lanes()).await;
    let (handled, seen) = Seen::after(chain, 2 * MESSAGES).await;
    let (frontend, bridge) = (seen.of_leg("frontend"), seen.of_leg("bridge"));
    let lengths = (handled.len(), frontend.len(), bridge.len());
    assert_eq!(lengths, (MESSAGES, MESSAGES, MESSAGES), "one line each");

    let [mut verdicts, mut means, mut cohorts] = [const { BTreeMap::<String, u64>::new() }; 3];
    for one in &handled {
        let id = one.message.request_id.as_str();
        let planned = plan.of_id(id);
        assert_eq!(one.message.text, planned.text, "{id}");
        assert_eq!(frontend[id]["path"], "cloud", "{id}: {}", frontend[id]);
        let [call] = one.calls.as_slice() else { panic!("{id}: {one:?}") };
        assert_eq!(call.status, 200, "{id}");
        let expected = planned.treatment.verdicts(one.message.is_fast())[0];
        let by = if expected.starts_with("room") { "text" } else { "room_text" };
        let line = &bridge[call.request_id.as_str()];
        assert_eq!(said(line), [expected, by, id], "{planned:?}: {line}");
        *verdicts.entry(expected.to_owned()).or_default() += 1;
        *means.entry(by.to_owned()).or_default() += 1;
        *cohorts.entry(one.message.cohort.clone()).or_default() += 1;
    }
    assert_eq!(seen.verdicts, verdicts);
    assert_eq!(seen.means, means);
    assert_eq!(seen.unclaimed, BTreeMap::new());
    for verdict in ["mode_missing", "mode_altered", "mode_invented", "room_missing", "room_crossed"]
    {
        assert!(verdicts[verdict] >= SEEN, "{verdict}: {verdicts:?}");
    }
    assert_eq!(cohorts.len(), 2, "{cohorts:?}");
    assert!(cohorts.values().all(|seen| *seen > MESSAGES as u64 / 4), "{cohorts:?}");
}
