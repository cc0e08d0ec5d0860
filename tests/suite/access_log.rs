//! The access line: one a request, with what an operator needs and nothing that a user said; and
//! the counters beside it.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Modegate, Origin, Request, settings};
use crate::messages::{PLACES, Place};

const FAST: &str = r#""processing":{"mode":"fast","reason":"because-s3cret"}"#;

/// Flags on, everybody canary, an upstream that answers by the target's query.
async fn started(extra: &str) -> (Origin, Modegate) {
    let origin = Origin::start(|request| match request.target().rsplit('?').next() {
        Some("404") => Answer::status("404 Not Found", "", "{}"),
        Some("500") => Answer::status("500 Internal Server Error", "", "{}"),
        Some("cut") => {
            Answer::ThenClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_vec())
        }
        Some("dead") => Answer::ThenClose(Vec::new()),
        _ => Answer::status("200 OK", "", "{\"ok\":true}"),
    })
    .await;
    let settings = settings(&origin, extra);
    (origin, Modegate::start(&settings).await)
}

const CANARY: &str = "[flags]\ncontract = true\nruntime = true\n\
     [canary]\npercent = 100\nkey = [\"room\", \"header:x-user\"]\n";

#[tokio::test]
async fn one_line_a_request_with_all_its_fields() {
    let (_origin, modegate) = started(CANARY).await;
    for (number, place) in PLACES.iter().enumerate() {
        let body = place.body(FAST);
        let request = place
            .request(body.clone())
            .header("X-User", "u")
            .header("X-Request-Id", &format!("id-{number}"));
        Client::once(place.address(&modegate), request).await;
        let line = modegate.access(number + 1).await.remove(number);
        let expected = json!({
            "leg": place.leg,
            "method": "POST",
            "dialect": place.dialect,
            "status": 200,
            "outcome": "ok",
            "action": "pass",
            "requested": "fast",
            "mode": "fast",
            "cohort": "canary",
            "request_id": format!("id-{number}"),
            "generation": 1,
            "bytes_in": body.len(),
            "bytes_out": 11,
            "level": "INFO",
        });
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&line[key], value, "{key}: {line}");
        }
        assert_eq!(line["room"].as_str().map(str::len), Some(16), "{line}");
        assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(line["first_byte_us"].as_u64() <= line["total_us"].as_u64(), "{line}");
        assert!(line["route"].as_str().is_some_and(|route| !route.contains("550e8400")), "{line}");
        assert!(line.get("reason").is_none(), "{line}");
    }
    let lines = modegate.access_lines();
    assert_eq!(lines[0]["room"], lines[8]["room"], "one room, one digest, on every leg");
    assert_ne!(lines[0]["room"], lines[2]["room"]);
    let uninspected = Request::get("/other?q=s3cret");
    Client::once(modegate.bridge(), uninspected).await;
    let line = modegate.access(PLACES.len() + 1).await.remove(PLACES.len());
    assert_eq!((&line["route"], &line["method"]), (&json!("-"), &json!("GET")));
    for key in ["dialect", "requested", "mode", "cohort", "room", "action", "reason"] {
        assert!(line.get(key).is_none_or(Value::is_null), "{key}: {line}");
    }
}

#[tokio::test]
async fn every_outcome_is_told_and_counted() {
    let (_origin, modegate) = started("[timeouts]\nbody = \"100ms\"\n").await;
    let cases = [
        ("", "{}", 200, "ok", None),
        ("?404", "{}", 404, "client_error", None),
        ("?500", "{}", 500, "server_error", None),
        ("?cut", "{}", 200, "cut", None),
        ("?dead", "{}", 502, "unavailable", Some("unreachable")),
        ("", "{", 400, "refused", Some("not_json")),
        ("", "[]", 400, "refused", Some("not_an_object")),
    ];
    for (number, (query, body, status, outcome, reason)) in cases.iter().enumerate() {
        let response = modegate.post(&format!("/api/chat{query}"), *body).await;
        assert_eq!(response.status, *status);
        let line = modegate.access(number + 1).await.remove(number);
        assert_eq!(
            (&line["status"], &line["outcome"]),
            (&json!(status), &json!(outcome)),
            "{line}"
        );
        assert_eq!(line.get("reason"), reason.map(|reason| json!(reason)).as_ref(), "{line}");
        let labels = [("leg", "frontend"), ("dialect", "conversation"), ("outcome", outcome)];
        let counted = cases[..=number].iter().filter(|case| case.3 == *outcome).count();
        modegate.counted("modegate_requests_total", &labels, counted as f64).await;
        if let Some(reason) = reason {
            let labels = [("leg", "frontend"), ("reason", *reason)];
            modegate.counted("modegate_rejections_total", &labels, 1.0).await;
        }
    }
    let all = modegate.metrics().await.sum("modegate_request_seconds_count", &[]);
    assert!((all - 7.0).abs() < 0.5, "{all}");
}

async fn counted_once(modegate: &Modegate, place: &Place, wanted: [&str; 4]) {
    let [mode, requested, cohort, outcome] = wanted;
    let labels = [
        ("leg", place.leg),
        ("dialect", place.dialect),
        ("mode", mode),
        ("requested", requested),
        ("cohort", cohort),
        ("outcome", outcome),
    ];
    let before: usize = PLACES
        .iter()
        .position(|known| (known.target, known.wants) == (place.target, place.wants))
        .expect("a place");
    let same = |known: &&Place| (known.leg, known.dialect) == (place.leg, place.dialect);
    let expected = PLACES[..=before].iter().filter(same).count() as f64;
    modegate.counted("modegate_requests_total", &labels, expected).await;
}

#[tokio::test]
async fn requests_are_counted_under_what_became_of_them() {
    let (_origin, modegate) = started(CANARY).await;
    for place in PLACES {
        let cases = [
            ("", ["default", "none", "canary", "ok"]),
            (r#""processing":{"mode":"default"}"#, ["default", "default", "canary", "ok"]),
            (FAST, ["fast", "fast", "canary", "ok"]),
            (r#""processing":7"#, ["default", "invalid", "canary", "refused"]),
            (r#""processing":{"mode":"fast","profile":"?"}"#, ["default", "fast", "canary", "ok"]),
        ];
        for (member, wanted) in cases {
            let request = place.request(place.body(member)).header("X-User", "u");
            Client::once(place.address(&modegate), request).await;
            counted_once(&modegate, place, wanted).await;
        }
    }
    let places = PLACES.len() as f64;
    modegate.counted("modegate_profile_fallbacks_total", &[], places).await;
    modegate.counted("modegate_actions_total", &[("action", "pass")], 3.0 * places).await;
    modegate.counted("modegate_actions_total", &[("action", "downgrade")], places).await;
    modegate.counted("modegate_actions_total", &[("action", "reject")], places).await;
    modegate.counted("modegate_requests_total", &[], 5.0 * places).await;
    let labels = [("mode", "fast"), ("cohort", "canary")];
    modegate.counted("modegate_first_byte_seconds_count", &labels, places).await;
}

#[tokio::test]
async fn nothing_that_a_user_said_is_in_the_log_or_the_metrics() {
    let (_origin, modegate) = started("[log]\nlevel = \"trace\"\n[flags]\ncontract = true\n").await;
    for place in PLACES {
        for query in ["", "?dead", "?cut"] {
            let target = format!("{}{query}", place.target.replace("a-1", "agent-s3cret"));
            for body in [place.body(FAST), place.body(r#""processing":"s3cret""#), "{s3cret".into()]
            {
                let body = body.replace("hi", "text-s3cret").replace("wörld", "text-s3cret");
                let request = Request::post(&target, body)
                    .header("Authorization", "Bearer s3cret")
                    .header("X-Api-Key", "s3cret")
                    .header("Cookie", "session=s3cret")
                    .header("X-User", "s3cret");
                Client::once(place.address(&modegate), request).await;
            }
        }
    }
    modegate.access(PLACES.len() * 9).await;
    for line in modegate.logs() {
        assert!(!line.contains("s3cret") && !line.contains("text-"), "{line}");
        // The conversation, and the room that it stands for.
        assert!(!line.contains("550e8400") && !line.contains("5ae36a4b"), "{line}");
    }
    let metrics = modegate.metrics().await.text;
    assert!(!metrics.contains("s3cret") && !metrics.contains("5ae36a4b"));
    assert_eq!(modegate.stderr(), "");
}

#[tokio::test]
async fn what_is_sent_makes_no_second_line_and_no_control_characters() {
    let (_origin, modegate) = started("[flags]\ncontract = true\n").await;
    let forged = "\\n{\\\"target\\\":\\\"access\\\"}\\u001b[31m";
    let place = &PLACES[0];
    let members = [
        format!(r#""processing":{{"mode":"{forged}"}}"#),
        format!(r#""processing":{{"mode":"fast","reason":"{forged}"}}"#),
        format!(r#""processing":{{"mode":"fast","profile":"{forged}"}}"#),
    ];
    for member in &members {
        Client::once(modegate.frontend(), place.request(place.body(member))).await;
    }
    for target in ["/x%0a%1b", "/x?a=%0d%0a"] {
        let request = Request::new("M-SEARCH", target).header("X-Request-Id", "\"}{");
        Client::once(modegate.frontend(), request).await;
    }
    let actor = "ops\n{\"target\":\"access\"}\u{1b}[31m\u{9b}31m";
    let body = json!({ "value": true, "actor": actor, "reason": actor });
    let response = modegate.call("PUT", "/flags/kill", Some(body)).await;
    assert!(response.status == 200 || response.status == 400, "{}", response.text());
    modegate.access(5).await;
    for line in modegate.logs() {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        assert!(parsed.is_object(), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let (_origin, mut modegate) = started("[log]\naccess = false\n").await;
    for _ in 0..3 {
        assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    }
    modegate.counted("modegate_requests_total", &[], 3.0).await;
    assert_eq!(modegate.terminate().await, Some(0));
    modegate.log_ended().await;
    assert_eq!(modegate.access_lines().len(), 0);
}
