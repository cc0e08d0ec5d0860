//! Nothing in clear: whatever goes wrong between two legs, no text, room, reason or key is in the
//! log, in the metrics, or in what the other side is told.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::chain::{Chain, ROUTES, Say};
use super::fault::{Fault, Treatment};
use super::message::{Message, room_of};

const CONVERSATION: &str = "conv-of-ann-0815";
const TEXT: &str = "the-s3cret-words";

#[tokio::test]
async fn no_fault_makes_it_talk() {
    let (own, other) = (room_of(CONVERSATION), room_of("conv-of-bob"));
    let faults = [
        Fault::None,
        Fault::LoseMode,
        Fault::AlterMode,
        Fault::InventMode,
        Fault::LoseRoom,
        Fault::CrossRoom(other.clone()),
        Fault::Twice,
        Fault::Locally,
        Fault::Refuse(404),
    ];
    for enforced in ["", "cloud_enforced = true\n", "cloud_enforced = true\nrepair"] {
        let on_mismatch = if enforced.ends_with("repair") { "repair" } else { "reject" };
        let extra = format!(
            "[log]\nlevel = \"trace\"\n[parity]\non_mismatch = \"{on_mismatch}\"\n\
             [canary]\npercent = 100\nkey = [\"room\", \"header:x-user\"]\n\
             [flags]\ncontract = true\nruntime = true\n{}",
            enforced.trim_end_matches("repair")
        );
        let next = Mutex::new(faults.clone().into_iter().cycle());
        let treat = move |_: &Message| {
            Treatment::new(next.lock().expect("no panic").next().expect("it goes on"))
        };
        let chain = Chain::start(&extra, treat).await;
        let secrets = [TEXT, CONVERSATION, own.as_str(), other.as_str(), "x-user-s3cret"];
        for (at, route) in ROUTES.iter().enumerate() {
            for number in 0..faults.len() {
                let mode = (number != 3).then_some("fast");
                let text = format!("{TEXT} {at} {number}");
                let say = Say { route, conversation: CONVERSATION, text: &text, mode };
                let request = say.request().header("X-Secret", "x-user-s3cret");
                let mut client = crate::harness::Client::connect(chain.modegate.frontend()).await;
                let response = client.exchange(&request).await;
                let id = response.header("x-request-id").expect("an id").to_owned();
                for call in chain.api.of(&id).calls {
                    // What the cloud echoes is not ours; what we refuse is.
                    if call.body.contains("-32010") {
                        let told = secrets.iter().any(|secret| call.body.contains(secret));
                        assert!(!told, "{}", call.body);
                    }
                }
            }
        }
        let lines = chain.modegate.access_lines();
        let found =
            lines.iter().filter_map(|line| line["repaired"].as_str().or(line["parity"].as_str()));
        let all: BTreeSet<&str> = found.collect();
        assert!(all.len() >= 6, "every fault shows: {all:?}");
        let metrics = chain.modegate.metrics().await.text;
        let mut chain = chain;
        assert_eq!(chain.modegate.terminate().await, Some(0));
        chain.modegate.log_ended().await;
        for line in chain.modegate.logs() {
            assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
        }
        assert!(!secrets.iter().any(|secret| metrics.contains(secret)));
        assert_eq!(chain.modegate.stderr(), "");
    }
}
