//! Which cohort a message is in: by room, by header, by lists, and without a key.

use crate::harness::{Address, Client, Modegate, Origin, Request, settings};

/// Keys, and the least share in percent that holds each: the published ranks by 2^32.
const KEYS: [(&str, f64); 4] =
    [("user-2", 19.6577), ("user-1", 62.0787), ("user-3", 68.2923), ("日本語", 89.9736)];

fn with_canary(origin: &Origin, canary: &str) -> String {
    let extra = format!("[flags]\ncontract = true\nruntime = true\n[canary]\n{canary}\n");
    settings(origin, &extra)
}

fn rpc(room: &str) -> String {
    format!(
        r#"{{"id":1,"method":"message.send","params":{{"text":"t","roomId":"{room}","processing":{{"mode":"fast"}}}}}}"#
    )
}

/// Sends a request and gives the cohort that the origin saw; it must agree with the body.
async fn cohort(origin: &Origin, address: &Address, request: Request) -> String {
    let response = Client::once(address, request).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let received = origin.last();
    let cohort = received.header("x-processing-cohort").expect("a cohort").to_owned();
    let (mode, body) = match cohort.as_str() {
        "canary" => ("fast", r#"{"mode":"fast"}"#),
        _ => ("default", r#"{"mode":"default"}"#),
    };
    assert_eq!(received.header("x-processing-mode"), Some(mode));
    assert!(received.text().contains(body), "{}", received.text());
    cohort
}

#[tokio::test]
async fn a_share_holds_the_keys_of_the_lowest_ranks_on_both_cloud_legs() {
    let origin = Origin::echo().await;
    for percent in [0.0, 0.0001, 19.6, 19.7, 50.0, 62.0, 62.1, 68.3, 90.0, 100.0] {
        let canary = format!("percent = {percent:?}");
        let modegate = Modegate::start(&with_canary(&origin, &canary)).await;
        for (key, least) in KEYS {
            let expected = if percent > least { "canary" } else { "control" };
            let request = Request::post("/api/v1/milady/agents/a/bridge", rpc(key));
            let got = cohort(&origin, modegate.bridge(), request).await;
            assert_eq!(got, expected, "{key} at {percent}");
            let request = Request::post("/bridge", rpc(key));
            let got = cohort(&origin, modegate.runtime(), request).await;
            assert_eq!(got, expected, "{key} at {percent}");
        }
    }
}

#[tokio::test]
async fn a_conversation_is_in_its_rooms_cohort_on_every_leg() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&with_canary(&origin, "percent = 50.0")).await;
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..24 {
        let target = format!("/api/conversations/c-{number}/messages");
        let body = r#"{"text":"t","processing":{"mode":"fast"}}"#;
        let first = cohort(&origin, modegate.frontend(), Request::post(&target, body)).await;
        let room = origin.last().header("x-processing-room").expect("a room").to_owned();
        let request = Request::post("/api/v1/eliza/agents/a/stream", rpc(&room));
        assert_eq!(cohort(&origin, modegate.bridge(), request).await, first, "{room}");
        let request = Request::post("/bridge/stream", rpc(&room));
        assert_eq!(cohort(&origin, modegate.runtime(), request).await, first, "{room}");
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2, "half of two dozen rooms is neither none nor all");
}

#[tokio::test]
async fn shared_rooms_are_no_keys() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&with_canary(&origin, "percent = 100.0")).await;
    let body = r#"{"text":"t","processing":{"mode":"fast"}}"#;
    let targets = ["/api/chat", "/api/chat/stream", "/v1/chat/completions", "/v1/messages"];
    for target in targets {
        let request = Request::post(target, body);
        assert_eq!(cohort(&origin, modegate.frontend(), request).await, "control", "{target}");
    }
    for room in ["web-chat", "openai-compat", "anthropic-compat", "default", "", "a\\nb"] {
        let request = Request::post("/bridge", rpc(room));
        assert_eq!(cohort(&origin, modegate.runtime(), request).await, "control", "{room}");
    }
    let long = "x".repeat(257);
    let request = Request::post("/bridge", rpc(&long));
    assert_eq!(cohort(&origin, modegate.runtime(), request).await, "control");
    let missing = modegate.metrics().await.sum("modegate_bucket_key_missing_total", &[]);
    assert!((missing - 11.0).abs() < 0.5, "{missing}");
    // What tells such conversations apart is a key.
    let keyed = r#"{"user":"u","processing":{"mode":"fast"}}"#;
    for target in ["/v1/chat/completions", "/v1/messages"] {
        let request = Request::post(target, keyed);
        assert_eq!(cohort(&origin, modegate.frontend(), request).await, "canary", "{target}");
    }
}

#[tokio::test]
async fn lists_come_before_the_share_and_deny_before_allow() {
    let origin = Origin::echo().await;
    let lists = "allow = [\"ada\", \"bob\"]\ndeny = [\"bob\", \"eve\"]";
    for (percent, other) in [(0, "control"), (100, "canary")] {
        let canary = format!("percent = {percent}\n{lists}");
        let modegate = Modegate::start(&with_canary(&origin, &canary)).await;
        for (key, expected) in
            [("ada", "canary"), ("bob", "control"), ("eve", "control"), ("zoe", other)]
        {
            let request = Request::post("/bridge", rpc(key));
            let got = cohort(&origin, modegate.runtime(), request).await;
            assert_eq!(got, expected, "{key} at {percent}");
        }
    }
}

#[tokio::test]
async fn the_first_source_that_is_present_is_the_key() {
    let origin = Origin::echo().await;
    let lists = "percent = 0\nallow = [\"ada\"]";
    let cases = [
        ("[\"room\", \"header:x-user\"]", "ada", Some("eve"), "canary"),
        ("[\"room\", \"header:x-user\"]", "eve", Some("ada"), "control"),
        ("[\"room\", \"header:x-user\"]", "web-chat", Some("ada"), "canary"),
        ("[\"header:x-user\", \"room\"]", "eve", Some("ada"), "canary"),
        ("[\"header:x-user\", \"room\"]", "ada", Some("eve"), "control"),
        ("[\"header:x-user\", \"room\"]", "ada", None, "canary"),
        ("[\"header:x-user\", \"room\"]", "ada", Some(""), "canary"),
        ("[\"header:x-user\"]", "ada", None, "control"),
    ];
    for (keys, room, user, expected) in cases {
        let canary = format!("{lists}\nkey = {keys}");
        let modegate = Modegate::start(&with_canary(&origin, &canary)).await;
        let mut request = Request::post("/bridge", rpc(room));
        if let Some(user) = user {
            request = request.header("X-User", user);
        }
        let got = cohort(&origin, modegate.runtime(), request).await;
        assert_eq!(got, expected, "{keys} {room} {user:?}");
    }
}
