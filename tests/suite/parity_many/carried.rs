//! An API server that knows nothing of the contract, and loses rooms besides, is carried across:
//! every message of thousands reaches the runtime as it left the frontend leg.

use std::sync::Arc;

use super::lanes::{Seen, WINDOW, send};
use super::plan::Plan;
use super::{CLIENTS, SEED, SETTINGS};
use crate::parity::Message;
use crate::parity::chain::{Chain, said};
use crate::parity::fault::{Fault, Treatment};

const MESSAGES: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_frontend_leg_reaches_the_runtime() {
    let plan = Arc::new(Plan::of(SEED, MESSAGES, CLIENTS).by_an_old_server());
    let treats = plan.clone();
    let treat = move |message: &Message| treats.of_id(&message.request_id).treatment.clone();
    let flags = SETTINGS.replace("[flags]\n", "[flags]\ncloud_enforced = true\n");
    let settings = format!("{flags}{WINDOW}on_mismatch = \"repair\"\n");
    let chain = Chain::of_three(&settings, treat, |_| Treatment::new(Fault::None)).await;
    send(&chain, plan.lanes()).await;
    let (handled, seen) = Seen::after(chain, 3 * MESSAGES).await;
    let [frontend, bridge, runtime] = ["frontend", "bridge", "runtime"].map(|leg| seen.of_leg(leg));
    assert_eq!((handled.len(), runtime.len()), (MESSAGES, MESSAGES), "one line each");
    let joined_to = |id: &str| {
        let mut lines = runtime.values().filter(|line| line["joined"] == id);
        (lines.next(), lines.next())
    };
    let mut repaired = 0;
    for one in &handled {
        let id = one.message.request_id.as_str();
        let call = one.calls[0].request_id.as_str();
        let (left, passed) = (frontend[id], bridge[call]);
        let expected = one.treatment.verdicts(one.message.is_fast())[0];
        let found = passed["repaired"].as_str().unwrap_or(said(passed)[0]);
        assert_eq!(found, expected, "{passed}");
        // A mode that control was given all the same is taken away without a repair.
        assert_eq!(passed["action"] == "repair", passed["repaired"].is_string(), "{passed}");
        if passed["repaired"].is_string() {
            assert_eq!(said(passed)[0], "match", "{passed}");
            repaired += 1;
        }
        assert_eq!(passed["mode"], left["mode"], "{passed}");
        let (Some(arrived), None) = joined_to(call) else { panic!("not once: {passed}") };
        assert_eq!(said(arrived)[..2], ["match", "rpc_id"], "{arrived}");
        assert_eq!(arrived["room"], left["room"], "{arrived}");
        assert_eq!(arrived["text"], left["text"], "{arrived}");
        let fast = arrived["requested"] == "fast";
        assert_eq!(fast, one.message.is_fast(), "{arrived}");
    }
    assert!(repaired > MESSAGES / 5, "{repaired}");
}
