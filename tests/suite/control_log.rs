//! What is logged, while the process runs: by hand until it expires, by the file from its reload on.

use serde_json::{Value, json};

use crate::control_process::unauthorized;
use crate::harness::{Answer, Client, Modegate, Origin, Request, Response, eventually, settings};

/// A module's debug line, of a request that an upstream does not answer.
const DEBUG_LINE: &str = "no answer from the upstream";

async fn started(extra: &str) -> (Origin, Modegate) {
    let origin = Origin::start(|request| match request.target() {
        "/dead" => Answer::ThenClose(Vec::new()),
        _ => Answer::ok("{}"),
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    (origin, modegate)
}

async fn log(modegate: &Modegate) -> Value {
    modegate.call("GET", "/log", None).await.json()
}

/// Changes the level, with more of a body.
async fn set(modegate: &Modegate, level: &str, more: Value) -> Response {
    let mut body = json!({ "level": level, "actor": "ann", "reason": "INC-7" });
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    modegate.call("PUT", "/log", Some(body)).await
}

async fn clear(modegate: &Modegate) -> Response {
    let body = json!({ "actor": "ann", "reason": "over" });
    modegate.call("DELETE", "/log", Some(body)).await
}

fn said(modegate: &Modegate, message: &str) -> usize {
    let lines = modegate.logs();
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed.filter(|line| line["message"] == message).count()
}

/// One request without an answer; says how many of its debug lines there are by then.
async fn dead(modegate: &Modegate, access_lines: usize) -> usize {
    Client::once(modegate.frontend(), Request::get("/dead")).await;
    modegate.access(access_lines).await;
    said(modegate, DEBUG_LINE)
}

#[tokio::test]
async fn a_module_is_told_to_say_more_and_less() {
    let (_origin, modegate) = started("").await;
    let file = json!({ "level": "info", "access": true });
    let before = json!({ "level": "info", "access": true, "file": file, "override": null });
    assert_eq!(log(&modegate).await, before);
    assert_eq!(dead(&modegate, 1).await, 0);

    for level in ["info,modegate::data_plane=debug", "trace"] {
        let response = set(&modegate, level, json!({ "expires": "10m" })).await;
        let answer = response.json();
        assert_eq!((response.status, &answer), (200, &log(&modegate).await));
        assert_eq!((&answer["level"], &answer["file"]), (&json!(level), &file));
        let set = &answer["override"];
        assert_eq!((&set["level"], &set["actor"]), (&json!(level), &json!("ann")));
        assert_eq!((&set["reason"], &set["access"]), (&json!("INC-7"), &Value::Null));
        assert!(set["expires"].as_u64().is_some(), "{answer}");
    }
    assert_eq!(dead(&modegate, 2).await, 1);
    for (requests, level) in [(3, "trace,modegate::data_plane=info"), (4, "error")] {
        assert_eq!(set(&modegate, level, json!({})).await.status, 200);
        assert_eq!(dead(&modegate, requests).await, 1, "{level}");
    }
    let response = clear(&modegate).await;
    assert_eq!((response.status, response.json()), (200, before));
    assert_eq!(dead(&modegate, 5).await, 1);

    let line = modegate.logged("log level set").await;
    let wanted = [("level", json!("WARN")), ("seconds", json!(600)), ("actor", json!("ann"))];
    assert!(wanted.iter().all(|(key, value)| line[*key] == *value), "{line}");
    assert_eq!(line["set"], "info,modegate::data_plane=debug");
    assert_eq!(said(&modegate, "log level set"), 4, "said at the level error too");
    assert_eq!(said(&modegate, "log level override cleared"), 1);
}

#[tokio::test]
async fn the_access_line_goes_and_comes_back() {
    let (_origin, modegate) = started("").await;
    let silent = set(&modegate, "info", json!({ "access": false })).await.json();
    assert_eq!((&silent["access"], &silent["override"]["access"]), (&json!(false), &json!(false)));
    for _ in 0..3 {
        assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    }
    modegate.counted("modegate_requests_total", &[], 3.0).await;
    // The counter comes first; a line would stand before the next one.
    assert_eq!(clear(&modegate).await.json()["access"], true);
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    modegate.access(1).await;
}

#[tokio::test]
async fn an_override_ends_by_itself() {
    let (_origin, modegate) = started("").await;
    assert_eq!(set(&modegate, "debug", json!({ "expires": "300ms" })).await.status, 200);
    eventually("the override's end", async || {
        log(&modegate).await["override"].is_null().then_some(())
    })
    .await;
    modegate.logged("log level override expired").await;
    assert_eq!(log(&modegate).await["level"], "info");
    assert_eq!(dead(&modegate, 1).await, 0);

    // One that is replaced does not end the next.
    assert_eq!(set(&modegate, "debug", json!({ "expires": "100ms" })).await.status, 200);
    assert_eq!(set(&modegate, "trace", json!({ "expires": "1h" })).await.status, 200);
    assert_eq!(set(&modegate, "debug", json!({})).await.status, 200);
    assert_eq!(dead(&modegate, 2).await, 1);
    assert_eq!(log(&modegate).await["level"], "debug");
    assert_eq!(said(&modegate, "log level override expired"), 1);
}

#[tokio::test]
async fn a_reload_takes_effect_at_once_and_under_an_override_after_it() {
    let (_origin, modegate) = started("[log]\nlevel = \"info\"\naccess = true\n").await;
    let text = std::fs::read_to_string(modegate.file()).expect("the file");
    let until_file = async |level: &str| {
        eventually(&format!("the file's level {level}"), async || {
            Some(log(&modegate).await).filter(|log| log["file"]["level"] == level)
        })
        .await
    };
    let write = |level: &str, access: &str| {
        let text = text.replace("level = \"info\"\naccess = true", &format!("{level}\n{access}"));
        std::fs::write(modegate.file(), text).expect("the file");
    };
    write("level = \"debug\"", "");
    assert_eq!(until_file("debug").await["level"], "debug");
    assert_eq!(dead(&modegate, 1).await, 1);
    let config = modegate.call("GET", "/config", None).await.json();
    assert_eq!(config["restart_needed"], json!([]));

    assert_eq!(set(&modegate, "info", json!({})).await.status, 200);
    write("level = \"warn,modegate=debug\"", "access = false");
    let now = until_file("warn,modegate=debug").await;
    assert_eq!((&now["level"], &now["access"]), (&json!("info"), &json!(false)));
    assert_eq!(now["override"]["level"], "info");
    assert_eq!(clear(&modegate).await.json()["level"], "warn,modegate=debug");
    assert_eq!(Client::once(modegate.frontend(), Request::get("/dead")).await.status, 502);
    eventually("a second debug line", async || (said(&modegate, DEBUG_LINE) == 2).then_some(()))
        .await;
    assert_eq!(modegate.access_lines().len(), 1, "the access line is off");
    write("level = \"loud\"", "");
    let line = modegate.logged("configuration not reloaded").await;
    assert!(line["error"].as_str().is_some_and(|error| error.contains("log.level")), "{line}");
    assert_eq!(log(&modegate).await["level"], "warn,modegate=debug");
}

#[tokio::test]
async fn what_is_refused_says_why_and_changes_nothing() {
    let (_origin, modegate) = started("").await;
    let before = log(&modegate).await;
    let long = format!("info,{}=warn", "m".repeat(1024));
    let levels = ["", "loud", "INFO", "modegate=debug", "info, a=warn", "info\n", "off", &long];
    for level in levels {
        let response = set(&modegate, level, json!({})).await;
        let said = response.json()["error"].as_str().expect("an error").to_owned();
        assert_eq!(response.status, 400, "{level:?}: {said}");
        assert!(
            said.starts_with("level: found: ") && said.contains("; allowed: \"trace\""),
            "{said}"
        );
    }
    let set = |more: Value| {
        let mut body = json!({ "level": "debug", "actor": "ann", "reason": "r" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let cases = [
        ("PUT", json!({ "actor": "ann", "reason": "r" }), 400, "level"),
        ("PUT", set(json!({ "level": 7 })), 400, "level"),
        ("PUT", set(json!({ "access": "off" })), 400, "access"),
        ("PUT", set(json!({ "value": true })), 400, "unknown field"),
        ("PUT", set(json!({ "actor": " " })), 400, "actor and reason"),
        ("PUT", set(json!({ "reason": "a\nb" })), 400, "actor and reason"),
        ("PUT", set(json!({ "expires": "0s" })), 400, "expires"),
        ("PUT", set(json!({ "expires": "9h" })), 400, "expires"),
        ("PUT", set(json!({ "expires": "soon" })), 400, "expires"),
        ("DELETE", json!({ "actor": "ann", "reason": "" }), 400, "actor and reason"),
        ("DELETE", json!({ "actor": "ann", "reason": "r" }), 404, "no override"),
    ];
    for (method, body, status, says) in cases {
        let response = modegate.call(method, "/log", Some(body.clone())).await;
        assert_eq!(response.status, status, "{method} {body}: {}", response.text());
        assert!(response.text().contains(says), "{method} {body}: {}", response.text());
    }
    for method in ["PUT", "DELETE"] {
        let request = Request::new(method, "/log").body(set(json!({})).to_string());
        assert_eq!(unauthorized(&modegate, request).await.status, 401, "{method}");
    }
    for method in ["POST", "PATCH"] {
        assert_eq!(modegate.call(method, "/log", Some(set(json!({})))).await.status, 405);
    }
    assert_eq!(log(&modegate).await, before);
    assert_eq!(said(&modegate, "log level set"), 0);
}
