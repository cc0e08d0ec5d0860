//! Hundreds of messages at once that say the same: what cannot be told apart is unobserved, and
//! never a mismatch, while the API server is faithful.

use std::collections::{BTreeMap, BTreeSet};

use super::lanes::{Seen, Sends, WINDOW, send};
use crate::parity::chain::{Chain, Route, Say, said};
use crate::parity::fault::{Fault, Forwards, Treatment};

const LANES: usize = 200;
const EACH: usize = 3;
const ALL: u64 = (LANES * EACH) as u64;

/// A false mismatch would be refused.
const SETTINGS: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n\
     [canary]\npercent = 100\nkey = [\"room\", \"header:x-user\"]\nallow = [\"ann\"]\ndeny = [\"bob\"]\n";

/// Messages that say the same, all at once: by lane the mode, the conversation and the user.
struct Crowd {
    name: &'static str,
    routes: &'static [Route],
    mode: fn(usize) -> Option<&'static str>,
    room: fn(usize) -> usize,
    user: fn(usize) -> &'static str,
    forwards: Forwards,
    /// Whether each can be told from the others.
    is_told_apart: bool,
}

const FAST: fn(usize) -> Option<&'static str> = |_| Some("fast");
const NONE: fn(usize) -> Option<&'static str> = |_| None;
const MIXED: fn(usize) -> Option<&'static str> = |lane| (lane % 2 == 0).then_some("fast");
const ANN: fn(usize) -> &'static str = |_| "ann";
const BOTH: fn(usize) -> &'static str = |lane| ["ann", "bob"][lane / 2 % 2];

const CONVERSATIONS: &[Route] = &[
    Route { target: "/api/conversations/:id/messages", streams: false },
    Route { target: "/api/conversations/:id/messages/stream", streams: true },
];
const SHARED: &[Route] = &[
    Route { target: "/api/chat", streams: false },
    Route { target: "/api/chat/stream", streams: true },
];

#[rustfmt::skip]
const CROWDS: [Crowd; 9] = [
    Crowd { name: "one room, fast", routes: CONVERSATIONS, mode: FAST, room: |_| 0, user: ANN, forwards: Forwards::Nothing, is_told_apart: true },
    Crowd { name: "one room, default", routes: CONVERSATIONS, mode: NONE, room: |_| 0, user: ANN, forwards: Forwards::Nothing, is_told_apart: true },
    Crowd { name: "one room, mixed", routes: CONVERSATIONS, mode: MIXED, room: |_| 0, user: ANN, forwards: Forwards::Nothing, is_told_apart: false },
    Crowd { name: "one room, mixed, with ids", routes: CONVERSATIONS, mode: MIXED, room: |_| 0, user: ANN, forwards: Forwards::RequestId, is_told_apart: true },
    Crowd { name: "a mode a room", routes: CONVERSATIONS, mode: MIXED, room: |lane| lane % 50, user: ANN, forwards: Forwards::Nothing, is_told_apart: true },
    Crowd { name: "two rooms, mixed", routes: CONVERSATIONS, mode: MIXED, room: |lane| lane / 2 % 2, user: ANN, forwards: Forwards::Nothing, is_told_apart: false },
    Crowd { name: "the shared room, fast", routes: SHARED, mode: FAST, room: |_| 0, user: ANN, forwards: Forwards::Nothing, is_told_apart: true },
    Crowd { name: "the shared room, mixed", routes: SHARED, mode: MIXED, room: |_| 0, user: ANN, forwards: Forwards::Nothing, is_told_apart: false },
    Crowd { name: "the shared room, mixed users", routes: SHARED, mode: MIXED, room: |_| 0, user: BOTH, forwards: Forwards::Nothing, is_told_apart: false },
];

impl Crowd {
    fn lanes(&self) -> Vec<Vec<Sends>> {
        let lane = |lane: usize| {
            let mut sends = Vec::new();
            for at in 0..EACH {
                let conversation = format!("crowd-{}", (self.room)(lane));
                let route = &self.routes[(lane + at) % self.routes.len()];
                let (text, mode) = ("the same words", (self.mode)(lane));
                let request = Say { route, conversation: &conversation, text, mode }.request();
                let request = request.header("X-User", (self.user)(lane)).only_last("X-User");
                let request = request.header("X-Request-Id", &format!("{lane}.{at}"));
                sends.push(Sends { request, says: text.to_owned() });
            }
            sends
        };
        (0..LANES).map(lane).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faithful_server_is_never_blamed() {
    for crowd in CROWDS {
        let name = crowd.name;
        let treatment = Treatment { forwards: crowd.forwards, ..Treatment::new(Fault::None) };
        let chain = Chain::start(&format!("{SETTINGS}{WINDOW}"), move |_| treatment.clone()).await;
        send(&chain, crowd.lanes()).await;
        let (handled, seen) = Seen::after(chain, 2 * ALL as usize).await;
        assert_eq!(seen.verdicts.values().sum::<u64>(), ALL, "{name}: {:?}", seen.verdicts);
        let allowed = BTreeSet::from(["match", "unobserved"]);
        let given: BTreeSet<&str> = seen.verdicts.keys().map(String::as_str).collect();
        assert!(given.is_subset(&allowed), "{name}: {:?}", seen.verdicts);
        assert_eq!(seen.unclaimed, BTreeMap::new(), "{name}");
        if crowd.is_told_apart {
            assert_eq!(seen.verdicts.get("match"), Some(&ALL), "{name}: {:?}", seen.verdicts);
        }
        let (frontend, bridge) = (seen.of_leg("frontend"), seen.of_leg("bridge"));
        let mut claimed = BTreeSet::new();
        for one in &handled {
            let id = one.message.request_id.as_str();
            let [call] = one.calls.as_slice() else { panic!("{name}: {one:?}") };
            let line = bridge[call.request_id.as_str()];
            let [verdict, means, joined] = said(line);
            if verdict == "unobserved" {
                assert_eq!([means, joined], ["ambiguous", "-"], "{name}: {line}");
                continue;
            }
            // One that is like it, if not it, and each once.
            assert_eq!(frontend[joined]["mode"], frontend[id]["mode"], "{name}: {line}");
            assert!(claimed.insert(joined), "{name}: {line}");
            if crowd.forwards == Forwards::RequestId {
                assert_eq!([means, joined], ["request_id", id], "{name}");
            }
        }
        if crowd.is_told_apart {
            assert_eq!(claimed.len() as u64, ALL, "{name}");
        }
    }
}
