//! `modegate explain`: each action with what would leave, each refusal with its shape.

use serde_json::{Value, json};

use crate::control_process::{CANARY, DOWNGRADED, FAST, ROUTE, STRIPPED, command, file};
use crate::harness::{Client, Exited, Modegate, Origin, Request, TempDir, settings};

/// The body with the edits that `explain` lists.
fn edited(body: &str, edits: &Value) -> String {
    let mut bytes = body.as_bytes().to_vec();
    for edit in edits.as_array().expect("a list").iter().rev() {
        let at = |key: &str| usize::try_from(edit[key].as_u64().expect("an offset")).unwrap();
        let with = edit["with"].as_str().expect("a text");
        bytes.splice(at("start")..at("end"), with.bytes());
    }
    String::from_utf8(bytes).expect("text")
}

async fn explain(arguments: &[&str], body: &str) -> (Exited, Value) {
    let ended = command(&[&["explain"], arguments].concat(), body).await;
    let answer = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}{}", ended.stdout, ended.stderr));
    (ended, answer)
}

struct Case {
    name: &'static str,
    config: &'static str,
    body: &'static str,
    action: &'static str,
    requested: &'static str,
    effective: &'static str,
    leaves: &'static str,
}

#[tokio::test]
async fn explain_shows_each_action_and_what_leaves() {
    let plain = Case {
        name: "",
        config: "",
        body: FAST,
        action: "strip",
        requested: "fast",
        effective: "default",
        leaves: STRIPPED,
    };
    let on = "[flags]\ncontract = true\nruntime = true\n";
    let cases = [
        Case { name: "contract off", ..plain },
        Case { name: "kill", config: "[flags]\ncontract = true\nkill = true", ..plain },
        Case {
            name: "runtime off",
            config: "[flags]\ncontract = true",
            action: "downgrade",
            leaves: DOWNGRADED,
            ..plain
        },
        Case {
            name: "runtime off, strip",
            config: "[flags]\ncontract = true\n[contract]\ndowngrade = \"strip\"",
            action: "downgrade",
            ..plain
        },
        Case { name: "on", config: on, action: "pass", effective: "fast", leaves: FAST, ..plain },
        Case {
            name: "default",
            config: on,
            body: DOWNGRADED,
            action: "pass",
            requested: "default",
            leaves: DOWNGRADED,
            ..plain
        },
        Case {
            name: "nothing asked for",
            config: on,
            body: STRIPPED,
            action: "pass",
            requested: "none",
            ..plain
        },
    ];
    let dir = TempDir::new();
    for case in cases {
        let config = file(&dir, &format!("{CANARY}{}", case.config));
        let arguments = ["-c", &config, "--leg", "frontend", "--path", ROUTE, "--json"];
        let (ended, answer) = explain(&arguments, case.body).await;
        let name = case.name;
        assert_eq!(ended.code, Some(0), "{name}");
        assert_eq!(ended.stdout.lines().count(), 1, "{name}: one line");
        let expected = json!({
            "leg": "frontend",
            "route": "/api/conversations/:id/messages",
            "dialect": "conversation",
            "requested": case.requested,
            "effective": case.effective,
            "cohort": "canary",
            "action": case.action,
            "rejection": null,
        });
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&answer[key], value, "{name}: {key}");
        }
        assert!(answer["rank"].is_u64() && answer["room"].is_string(), "{name}: {answer}");
        assert_eq!(edited(case.body, &answer["body_edits"]), case.leaves, "{name}");
        let headers = json!({
            "x-processing-mode": case.effective,
            "x-processing-requested": case.requested,
            "x-processing-cohort": "canary",
            "x-processing-room": answer["room"],
        });
        assert_eq!(answer["headers"], headers, "{name}");
    }
}

#[tokio::test]
async fn explain_says_why_a_request_is_refused() {
    let dir = TempDir::new();
    let limit = "[contract]\nbody_limit = \"1KiB\"\n[flags]\ncontract = true\n";
    let config = file(&dir, limit);
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(1024));
    let invalid = FAST.replace("fast", "slow");
    let rpc = r#"{"jsonrpc":"2.0","id":"a","method":"m","params":[]}"#;
    let gzip = ["--header", "Content-Encoding: gzip"];
    let none: &[&str] = &[];
    let cases = [
        ("frontend", ROUTE, "{bad", none, 400, "not_json"),
        ("frontend", ROUTE, "", none, 400, "not_json"),
        ("frontend", ROUTE, "[]", none, 400, "not_an_object"),
        ("frontend", ROUTE, invalid.as_str(), none, 400, "contract_mode"),
        ("frontend", ROUTE, FAST, gzip.as_slice(), 415, "encoding"),
        ("frontend", ROUTE, large.as_str(), none, 413, "too_large"),
        ("frontend", "/v1/messages", "{bad", none, 400, "not_json"),
        ("runtime", "/bridge", rpc, none, 400, "not_a_request"),
    ];
    for (leg, path, body, more, status, reason) in cases {
        let arguments = [["-c", &config, "--leg", leg, "--path", path].as_slice(), more].concat();
        let (ended, answer) = explain(&arguments, body).await;
        assert_eq!((ended.code, &answer["action"]), (Some(0), &json!("reject")), "{answer}");
        let rejection = &answer["rejection"];
        let said = (&rejection["status"], &rejection["reason"]);
        assert_eq!(said, (&json!(status), &json!(reason)), "{leg} {path}");
        assert_eq!((&answer["headers"], &answer["body_edits"]), (&json!({}), &json!([])));
        let shape: Value =
            serde_json::from_str(rejection["body"].as_str().expect("a body")).unwrap();
        let shaped = match (leg, path) {
            ("runtime", _) => shape["id"] == "a" && shape["error"]["code"].is_i64(),
            (_, "/v1/messages") => shape["error"]["type"] == "invalid_request_error",
            _ => shape["error"].is_string(),
        };
        assert!(shaped, "{shape}");
        // What could not be read asked for nothing.
        assert_eq!(answer["effective"].is_null(), reason != "contract_mode", "{answer}");
    }
}

#[tokio::test]
async fn explain_reads_headers_and_leaves_what_is_not_inspected() {
    let dir = TempDir::new();
    let config = file(
        &dir,
        "[canary]\nkey = [\"header:x-user\"]\nsalt = \"fast-mode/2026-12\"\n[flags]\ncontract = true",
    );
    let base = ["-c", &config, "--leg", "frontend", "--path"];
    let spoofed =
        ["--header", "X_Processing_Cohort: canary", "--header", "x-processing-mode: fast"];
    let user = ["--header", "X-User: user-1"];
    let arguments = [base.as_slice(), &[ROUTE], &user, &spoofed].concat();
    let (_, answer) = explain(&arguments, FAST).await;
    assert_eq!(
        (&answer["rank"], &answer["cohort"]),
        (&json!(2_666_261_109_u64), &json!("control"))
    );
    assert_eq!(answer["headers"]["x-processing-mode"], "default");
    let (_, answer) = explain(&[base.as_slice(), &[ROUTE]].concat(), FAST).await;
    assert_eq!((&answer["rank"], &answer["cohort_by"]), (&Value::Null, &json!("no_key")));

    let not_inspected: [(&str, &[&str], &str); 4] = [
        ("/api/other", &[], "{bad"),
        ("/api/chat/", &[], "{bad"),
        ("/API/CHAT", &[], "{bad"),
        (ROUTE, &["--method", "GET"], ""),
    ];
    for (path, more, body) in not_inspected {
        let (ended, answer) = explain(&[base.as_slice(), &[path], more].concat(), body).await;
        assert_eq!((ended.code, &answer["action"]), (Some(0), &json!("pass")), "{path}");
        for key in ["route", "dialect", "requested", "effective", "rejection"] {
            assert!(answer[key].is_null(), "{path}: {key}");
        }
        assert_eq!((&answer["headers"], &answer["body_edits"]), (&json!({}), &json!([])), "{path}");
    }
}

#[tokio::test]
async fn explain_refuses_a_head_as_the_proxy_does() {
    let (origin, dir) = (Origin::echo().await, TempDir::new());
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let config = file(&dir, "");
    let cases = [
        ("POST", ROUTE, None),
        ("CONNECT", ROUTE, Some((405, "method"))),
        ("CONNECT", "h:80", Some((405, "method"))),
        ("TRACE", ROUTE, Some((405, "method"))),
        ("get", ROUTE, Some((405, "method"))),
        ("post", ROUTE, Some((405, "method"))),
        ("POST", "api/chat", Some((400, "bad_head"))),
        ("POST", "\\api\\chat", Some((400, "bad_head"))),
        ("POST", "javascript:/api/chat", Some((400, "bad_head"))),
        ("POST", "file:///api/chat", Some((400, "bad_head"))),
        ("POST", "*", Some((400, "bad_head"))),
        ("POST", "/api/chat x", Some((400, "bad_head"))),
        ("POST", "", Some((400, "bad_head"))),
        ("OPTIONS", "*", None),
        ("POST", "http://h", None),
        ("POST", "http://h//evil/api/chat", None),
    ];
    for (method, target, refused) in cases {
        let name = format!("{method} {target}");
        let mut request = Request::new(method, target);
        if refused.is_none() && method == "POST" {
            request = request.body("{}");
        }
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(request.bytes()).await;
        let answer = client.response_to("POST").await;
        let path = format!("--path={target}");
        let arguments = ["-c", &config, "--leg", "frontend", "--method", method, &path];
        let (_, said) = explain(&arguments, if method == "POST" { "{}" } else { "" }).await;
        let rejection = &said["rejection"];
        match refused {
            None => {
                assert_eq!((answer.status, rejection), (200, &Value::Null), "{name}: {said}");
                let inspected = origin.last().header("x-processing-mode").is_some();
                assert_eq!(said["route"].is_string(), inspected, "{name}: {said}");
            }
            Some((status, reason)) => {
                assert_eq!(
                    (answer.status, said["action"].as_str()),
                    (status, Some("reject")),
                    "{name}"
                );
                let found = (&rejection["status"], &rejection["reason"], &rejection["body"]);
                let body = answer.text();
                assert_eq!(found, (&json!(status), &json!(reason), &json!(body)), "{name}");
            }
        }
    }
}
