//! The breaker: what opens it, that the very next message is safe, and what closes it.

use serde_json::json;

use crate::control_process::{DOWNGRADED, FAST, ROUTE};
use crate::harness::{Answer, Client, Modegate, Origin, Request, settings};
use crate::parity::chain::{Chain, ROUTES, Say};
use crate::parity::fault::{Fault, Treatment};
use crate::parity::{self, room_of};

const ON: &str = "[flags]\ncontract = true\nruntime = true\n[canary]\npercent = 100\n";
const BREAKER: &str = "[breaker]\non = [\"contamination\", \"mismatch\"]\n";

fn call(room: &str) -> Request {
    let body = json!({
        "jsonrpc": "2.0", "id": "call-1", "method": "message.send",
        "params": { "text": "t", "roomId": room, "processing": { "mode": "fast" } },
    });
    Request::post("/api/v1/milady/agents/a/bridge", body.to_string())
}

/// An origin whose bridge answers are another call's, or in another mode.
async fn origin(bridge: &'static str) -> Origin {
    Origin::start(move |request| match request.target() {
        ROUTE => Answer::Echo,
        _ => Answer::status("200 OK", "Content-Type: application/json\r\n", bridge),
    })
    .await
}

const FOREIGN: &str = r#"{"jsonrpc":"2.0","id":"call-2","result":{"text":"t"}}"#;
const ALTERED: &str =
    r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":{"mode":"default"}}}}"#;

async fn sent(modegate: &Modegate, origin: &Origin) -> String {
    modegate.post(ROUTE, FAST).await;
    origin.last().text()
}

#[tokio::test]
async fn one_foreign_or_altered_answer_and_the_next_message_is_safe() {
    let reset = json!({ "actor": "suite", "reason": "looked into" });
    for (answer, cause) in [(FOREIGN, "contamination"), (ALTERED, "mismatch")] {
        let origin = origin(answer).await;
        let modegate = Modegate::start(&settings(&origin, &format!("{ON}{BREAKER}"))).await;
        assert_eq!(sent(&modegate, &origin).await, FAST);
        assert_eq!(modegate.call("DELETE", "/breaker", Some(reset.clone())).await.status, 404);
        let room = "00000000-0000-4000-8000-000000000001";
        let answered = Client::once(modegate.bridge(), call(room)).await;
        assert_eq!(answered.status, 200);
        modegate.counted("modegate_breaker_open", &[("cause", cause)], 1.0).await;
        assert_eq!(sent(&modegate, &origin).await, DOWNGRADED, "{cause}");
        let flags = modegate.flags().await;
        assert_eq!(flags["breaker"]["cause"], cause);
        assert_eq!(flags["flags"]["runtime"]["layer"], "breaker");
        assert_eq!(
            (&flags["share"]["percent"], &flags["share"]["layer"]),
            (&json!(0.0), &json!("breaker"))
        );

        // Reading the configuration again does not close it.
        let loads = [("result", "ok")];
        modegate.signal("HUP");
        modegate.counted("modegate_config_loads_total", &loads, 2.0).await;
        assert_eq!(sent(&modegate, &origin).await, DOWNGRADED, "{cause}");

        let nobody = json!({ "actor": "", "reason": "" });
        assert_eq!(modegate.call("DELETE", "/breaker", Some(nobody)).await.status, 400);
        assert_eq!(modegate.call("DELETE", "/breaker", Some(reset.clone())).await.status, 200);
        assert_eq!(sent(&modegate, &origin).await, FAST);
        modegate.counted("modegate_breaker_open", &[], 0.0).await;
        modegate.counted("modegate_breaker_trips_total", &[("cause", cause)], 1.0).await;
    }
}

#[tokio::test]
async fn without_it_nothing_is_switched_off() {
    let origin = origin(FOREIGN).await;
    let modegate = Modegate::start(&settings(&origin, ON)).await;
    Client::once(modegate.bridge(), call("00000000-0000-4000-8000-000000000001")).await;
    let labels = [("source", "answer")];
    modegate.counted("modegate_contamination_total", &labels, 1.0).await;
    assert_eq!(sent(&modegate, &origin).await, FAST);
}

/// What the API server does to a fast message on its way to the bridge opens the breaker too.
#[tokio::test]
async fn a_message_that_lost_its_mode_or_room_and_the_next_is_safe() {
    let crossed = Fault::CrossRoom(room_of("somebody-elses"));
    for (fault, cause) in [(Fault::LoseMode, "mismatch"), (crossed, "contamination")] {
        let config = format!("{}{BREAKER}", parity::FAST);
        let chain = Chain::start(&config, move |_| Treatment::new(fault.clone())).await;
        let say = |text| Say { route: &ROUTES[0], conversation: "c-1", text, mode: Some("fast") };
        let (_, first) = chain.send(&say("one")).await;
        assert!(first.message.is_fast(), "{cause}");
        chain.modegate.counted("modegate_breaker_open", &[("cause", cause)], 1.0).await;
        let (_, second) = chain.send(&say("two")).await;
        assert!(!second.message.is_fast(), "{cause}");
    }
}

/// Answers as the user of the message says: `user-2` is canary, `user-1` control, by their published
/// ranks.
async fn failing(control_fails_too: bool) -> Origin {
    Origin::start(move |request| {
        let is_canary = request.header("x-user") == Some("user-2");
        match is_canary || control_fails_too {
            true => Answer::status("503 Service Unavailable", "", "{}"),
            false => Answer::ok("{}"),
        }
    })
    .await
}

async fn ask(modegate: &Modegate, user: &str, times: usize) {
    for _ in 0..times {
        let request = Request::post(ROUTE, FAST).header("X-User", user);
        Client::once(modegate.frontend(), request).await;
    }
}

#[tokio::test]
async fn twenty_errors_of_the_canary_alone_and_the_next_message_is_safe() {
    let canary = "[flags]\ncontract = true\nruntime = true\n[canary]\npercent = 50\n\
         salt = \"fast-mode/2026-12\"\nkey = [\"header:x-user\"]\n";
    let config = format!("{canary}[breaker]\non = [\"errors\"]\n");
    let cause = [("cause", "errors")];
    let origin = failing(false).await;
    let modegate = Modegate::start(&settings(&origin, &config)).await;
    ask(&modegate, "user-1", 30).await;
    ask(&modegate, "user-2", 19).await;
    // Longer than it is looked at: nineteen are not enough.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    modegate.counted("modegate_breaker_open", &[], 0.0).await;
    ask(&modegate, "user-2", 1).await;
    modegate.counted("modegate_breaker_open", &cause, 1.0).await;
    ask(&modegate, "user-2", 1).await;
    assert_eq!(origin.last().text(), DOWNGRADED);

    // What led to it does not open it again.
    let reset = json!({ "actor": "suite", "reason": "looked into" });
    assert_eq!(modegate.call("DELETE", "/breaker", Some(reset)).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    modegate.counted("modegate_breaker_open", &[], 0.0).await;
    modegate.counted("modegate_breaker_trips_total", &cause, 1.0).await;

    // Where both fail it is not the mode's fault; where it is not asked for, nothing opens.
    for (control_fails_too, config) in [(true, &config), (false, &canary.to_owned())] {
        let origin = failing(control_fails_too).await;
        let modegate = Modegate::start(&settings(&origin, config)).await;
        ask(&modegate, "user-1", 30).await;
        ask(&modegate, "user-2", 30).await;
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        modegate.counted("modegate_breaker_open", &[], 0.0).await;
    }
}
