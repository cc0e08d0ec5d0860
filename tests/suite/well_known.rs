//! The capability document at its edges: every state that a file can give the flags, a reload,
//! an upstream that is gone or busy, and what else a client may send along.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::harness::{
    Answer, Client, DEADLINE, Gone, Modegate, Origin, Request, Response, eventually, listener,
    script, settings,
};

const PATH: &str = "/.well-known/processing";

async fn document(modegate: &Modegate) -> Response {
    let response = Client::once(modegate.frontend(), Request::get(PATH)).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response
}

fn says(contract: bool, ui: bool) -> Value {
    json!({ "contract": contract, "ui": ui, "modes": ["default", "fast"], "profiles": [] })
}

#[tokio::test]
async fn every_state_that_the_flags_own_rules_allow() {
    let origin = Origin::echo().await;
    let states = [
        ("", says(false, false)),
        ("kill = true", says(false, false)),
        ("cloud_enforced = true", says(false, false)),
        ("contract = true", says(true, false)),
        ("contract = true\nkill = true", says(false, false)),
        ("contract = true\nruntime = true", says(true, false)),
        ("contract = true\nruntime = true\nkill = true", says(false, false)),
        ("contract = true\nruntime = true\nui = true", says(true, true)),
        ("contract = true\nruntime = true\nui = true\nkill = true", says(false, false)),
    ];
    for (flags, expected) in states {
        let modegate = Modegate::start(&settings(&origin, &format!("[flags]\n{flags}\n"))).await;
        assert_eq!(document(&modegate).await.json(), expected, "{flags}");
    }
}

#[tokio::test]
async fn modes_and_profiles_are_listed_by_name_and_follow_a_reload() {
    let origin = Origin::echo().await;
    let config = |profiles: &str| {
        let extra = format!(
            "[contract]\nmodes = [\"plain\", \"fast\", \"deep\"]\n[flags]\ncontract = true\n\
             [admin]\nbind = \"127.0.0.1:0\"\n{profiles}\n"
        );
        settings(&origin, &extra)
    };
    let one = "[profiles.quick]\nmode = \"fast\"\ndescription = \"not for clients\"\n";
    let modegate = Modegate::start(&config(one)).await;
    let expected = |profiles: Value| {
        let modes = ["plain", "fast", "deep"];
        json!({ "contract": true, "ui": false, "modes": modes, "profiles": profiles })
    };
    let response = document(&modegate).await;
    assert_eq!(response.json(), expected(json!(["quick"])));

    let two = format!("{one}[profiles.\"a/b\"]\nmode = \"deep\"\n");
    modegate.dir().write("modegate.toml", config(&two));
    modegate.signal("HUP");
    eventually("the new profile", async || {
        let now = document(&modegate).await.json();
        (now == expected(json!(["a/b", "quick"]))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn its_head_names_the_request_and_a_head_has_its_length() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let request = Request::get(PATH).header("X-Request-Id", "client-1");
    let response = Client::once(modegate.frontend(), request).await;
    assert_eq!(response.header("x-request-id"), Some("client-1"));
    assert_eq!(response.header("x-processing-mode"), None);
    let length = response.body.len().to_string();
    let head = Client::once(modegate.frontend(), Request::new("HEAD", PATH)).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)));
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn other_spellings_are_the_upstreams_to_answer() {
    let origin = Origin::start(|_| Answer::ok("origin")).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let cases = [
        ("PUT", PATH),
        ("GET", "/.well-known/Processing"),
        ("GET", "/.well-known/%70rocessing"),
        ("GET", "/.well-known/processing.json"),
        ("GET", "/x/.well-known/processing"),
    ];
    for (method, target) in cases {
        let response = Client::once(modegate.frontend(), Request::new(method, target)).await;
        assert_eq!(response.text(), "origin", "{method} {target}");
        let received = origin.last();
        assert_eq!((received.method(), received.target()), (method, target));
    }
    let absolute = Request::get("http://elsewhere.example/.well-known/processing");
    let response = Client::once(modegate.frontend(), absolute).await;
    assert_eq!(response.json(), says(false, false));
    assert_eq!(origin.requests(), cases.len());
}

#[tokio::test]
async fn it_is_there_when_the_upstream_is_not() {
    let gone = Gone::new();
    let url = gone.url();
    let config = format!("[flags]\ncontract = true\n{}", listener("frontend", &url));
    let modegate = Modegate::start(&config).await;
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 502);
    assert_eq!(document(&modegate).await.json(), says(true, false));
}

#[tokio::test]
async fn it_is_there_when_messages_are_shed() {
    let (_held, answer) = script();
    let answer = Mutex::new(Some(answer));
    let origin = Origin::start(move |_| answer.lock().unwrap().take().expect("one request")).await;
    let modegate = Modegate::start(&settings(&origin, "[limits]\nin_flight = 1\n")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::post("/api/chat", "{}").bytes()).await;
    origin.wait_for(1).await;
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 503);
    assert_eq!(document(&modegate).await.json(), says(false, false));
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_never_taken_for_a_request() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let smuggled = Request::post("/api/other", "smuggled").bytes();
    let asked = Request::get(PATH).body(smuggled);
    for request in [asked.clone(), asked.chunked(9)] {
        let mut client = Client::connect(modegate.frontend()).await;
        assert_eq!(client.exchange(&request).await.json(), says(false, false));
        // Either the connection is closed now, or it is good for another request.
        client.offer(&Request::get(PATH).bytes(), DEADLINE).await;
        client.finish().await;
        if let Some(after) = client.try_response_to("GET").await {
            assert_eq!(after.json(), says(false, false));
        }
    }
    assert_eq!(origin.accepted(), 0);
}
