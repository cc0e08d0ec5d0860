//! The document that tells clients whether to show the toggle: right in every state of the flags,
//! on the frontend leg only, and there even when nothing else is.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Modegate, Origin, Request, Response, listener, script, settings};

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
async fn it_follows_the_flags_from_one_request_to_the_next() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    assert_eq!(document(&modegate).await.json(), says(false, false));
    let steps = [
        ("contract", true, says(true, false)),
        ("runtime", true, says(true, false)),
        ("ui", true, says(true, true)),
        ("cloud_enforced", true, says(true, true)),
        ("kill", true, says(false, false)),
        ("kill", false, says(true, true)),
        ("ui", false, says(true, false)),
        ("runtime", false, says(true, false)),
        ("contract", false, says(false, false)),
    ];
    for (flag, value, expected) in steps {
        modegate.flag(flag, value).await;
        assert_eq!(document(&modegate).await.json(), expected, "after {flag} {value}");
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn every_state_of_the_flags() {
    let origin = Origin::echo().await;
    // Those that the flags' own rules allow: contract, runtime, ui, kill.
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
async fn it_lists_modes_and_profiles_by_name_and_follows_a_reload() {
    let origin = Origin::echo().await;
    let config = |profiles: &str| {
        settings(
            &origin,
            &format!(
                "[contract]\nmodes = [\"plain\", \"fast\", \"deep\"]\n[flags]\ncontract = true\n\
                 {profiles}\n[admin]\nbind = \"127.0.0.1:0\"\n"
            ),
        )
    };
    let one = "[profiles.quick]\nmode = \"fast\"\ndescription = \"not for clients\"\n";
    let modegate = Modegate::start(&config(one)).await;
    let response = document(&modegate).await;
    let expected = |profiles: Value| {
        json!({
            "contract": true, "ui": false,
            "modes": ["plain", "fast", "deep"], "profiles": profiles,
        })
    };
    assert_eq!(response.json(), expected(json!(["quick"])));
    assert!(!response.text().contains("not for clients"));

    let two = format!("{one}[profiles.\"a/b\"]\nmode = \"deep\"\n");
    modegate.dir().write("modegate.toml", config(&two));
    modegate.signal("HUP");
    crate::harness::eventually("the new profiles", async || {
        let now = document(&modegate).await.json();
        (now == expected(json!(["a/b", "quick"]))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn its_head_is_for_clients_of_every_origin() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let request = Request::get(PATH)
        .header("Origin", "http://localhost:5173")
        .header("X-Request-Id", "client-1");
    let response = Client::once(modegate.frontend(), request).await;
    let length = response.body.len().to_string();
    let fields = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
        ("content-length", &length),
        ("x-request-id", "client-1"),
    ];
    for (name, value) in fields {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert_eq!(response.header("x-processing-mode"), None);

    let head = Client::once(modegate.frontend(), Request::new("HEAD", PATH)).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)));
    assert!(head.body.is_empty());
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn only_a_read_of_this_path_on_the_frontend_leg_is_answered() {
    let origin = Origin::start(|_| Answer::ok("origin")).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let forwarded = [
        ("frontend", "POST", PATH),
        ("frontend", "OPTIONS", PATH),
        ("frontend", "PUT", PATH),
        ("frontend", "GET", "/.well-known/processing/"),
        ("frontend", "GET", "/.well-known/Processing"),
        ("frontend", "GET", "/.well-known/processing.json"),
        ("frontend", "GET", "/.well-known"),
        ("frontend", "GET", "/x/.well-known/processing"),
        ("bridge", "GET", PATH),
        ("runtime", "GET", PATH),
    ];
    for (at, (leg, method, target)) in forwarded.iter().enumerate() {
        let request = Request::new(method, target);
        let response = Client::once(modegate.leg(leg, 0), request).await;
        assert_eq!(response.text(), "origin", "{leg} {method} {target}");
        assert_eq!(origin.requests(), at + 1, "{leg} {method} {target}");
        let received = origin.last();
        assert_eq!((received.method(), received.target()), (*method, *target));
    }
    for target in ["/.well-known/processing?a=1", "http://elsewhere.example/.well-known/processing"]
    {
        let response = Client::once(modegate.frontend(), Request::get(target)).await;
        assert_eq!(response.json(), says(false, false), "{target}");
    }
    assert_eq!(origin.requests(), forwarded.len());
}

#[tokio::test]
async fn it_is_there_when_the_upstream_is_not() {
    let gone = Origin::echo().await;
    let url = gone.url();
    drop(gone);
    let config = format!("[flags]\ncontract = true\n{}", listener("frontend", &url));
    let modegate = Modegate::start(&config).await;
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 502);
    assert_eq!(document(&modegate).await.json(), says(true, false));
}

#[tokio::test]
async fn it_is_there_when_messages_are_shed() {
    let (held, answer) = script();
    let answer = std::sync::Mutex::new(Some(answer));
    let origin = Origin::start(move |_| {
        answer.lock().expect("no panic").take().unwrap_or_else(|| Answer::ok("next"))
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "[limits]\nin_flight = 1\n")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::post("/api/chat", "{}").bytes()).await;
    origin.wait_for(1).await;
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 503);
    assert_eq!(document(&modegate).await.json(), says(false, false));
    drop(held);
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_never_taken_for_a_request() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let smuggled = Request::post("/api/other", "smuggled").bytes();
    for request in
        [Request::get(PATH).body(smuggled.clone()), Request::get(PATH).body(smuggled).chunked(9)]
    {
        let mut client = Client::connect(modegate.frontend()).await;
        assert_eq!(client.exchange(&request).await.json(), says(false, false));
        // Either the connection is closed now, or it is good for another request.
        client.offer(&Request::get(PATH).bytes(), crate::harness::DEADLINE).await;
        client.finish().await;
        if let Some(after) = client.try_response_to("GET").await {
            assert_eq!(after.json(), says(false, false));
        }
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn it_is_counted_and_logged_like_any_request() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    document(&modegate).await;
    let line = modegate.access(1).await.remove(0);
    assert_eq!((&line["leg"], &line["method"]), (&json!("frontend"), &json!("GET")));
    assert_eq!((&line["status"], &line["outcome"]), (&json!(200), &json!("ok")));
    let labels = [("leg", "frontend"), ("dialect", "none"), ("cohort", "none"), ("outcome", "ok")];
    modegate.counted("modegate_requests_total", &labels, 1.0).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
}
