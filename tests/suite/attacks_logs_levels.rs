//! Nothing that is sent begins a line of its own, at any level and from any door: line ends of every
//! kind, colours, directions, NUL and quotes (case 86).

use serde_json::{Value, json};

use crate::harness::{
    Address, Answer, Client, H2, Modegate, Origin, Request, TOKEN, listener, settings,
};
use crate::messages::PLACES;

const HOSTILE: [&str; 9] = [
    "\n{\"target\":\"access\"}",
    "\r\n\r\n{}",
    "a\u{2028}{\"level\":\"ERROR\"}\u{2029}",
    "\u{1b}[31m\u{9b}2J\u{1b}]0;x\u{7}",
    "\0",
    "\"}{\"level\":\"ERROR\"}",
    "\u{85}\u{b}\u{c}\u{1c}",
    "\u{202e}\u{2066}\u{200f}\u{7f}",
    "\\n\\u2028\\",
];

/// What only malformed heads hold.
const SECRET: &str = "s3cret";

/// A head as it is, whatever it is; the connection ends with or without an answer.
async fn raw(address: &Address, head: String) {
    let mut client = Client::connect(address).await;
    let bytes = format!("{head}Host: h\r\nConnection: close\r\n\r\n");
    client.write(bytes).await;
    client.finish().await;
    client.closed().await;
}

/// The text as a path's segment may hold it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// The text without what no HTTP/1 field can hold.
fn as_field(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_control()).collect()
}

async fn heads(modegate: &Modegate, text: &str) {
    for address in [modegate.frontend(), modegate.bridge(), modegate.runtime()] {
        let targets = [
            format!("/api/conversations/{text}/messages"),
            format!("/api/conversations/{}/messages", encoded(text)),
            format!("/api/v1/milady/agents/{text}/bridge"),
            format!("/api/v1/milady/agents/{}/bridge?{text}", encoded(text)),
            format!("http://{text}/api/chat"),
        ];
        for target in targets {
            raw(address, format!("POST {target} HTTP/1.1\r\nContent-Length: 0\r\n")).await;
        }
        raw(address, format!("GE{text}T /x HTTP/1.1\r\n")).await;
        raw(address, format!("GET /x HTTP/1.1\r\nX-A: {text}\r\n")).await;
        raw(address, format!("GET /x HTTP/1.1\r\nX-{text}: a\r\n")).await;
        raw(address, format!("{text}\r\n")).await;
        let mut request = Request::post("/dead", "{");
        for name in ["X-Request-Id", "Traceparent", "User-Agent", "X-Processing-Mode", "Upgrade"] {
            request = request.header(name, &as_field(text));
        }
        let mut client = Client::connect(address).await;
        client.write(request.bytes()).await;
        client.finish().await;
        client.closed().await;
    }
}

async fn bodies(modegate: &Modegate, text: &str) {
    let quoted = json!(text).to_string();
    for place in [&PLACES[0], &PLACES[2], &PLACES[4], &PLACES[8], &PLACES[11]] {
        let members = [
            format!(r#""processing":{{"mode":{quoted}}}"#),
            format!(r#""processing":{{"mode":"fast","profile":{quoted},"reason":{quoted}}}"#),
            format!(r#""roomId":{quoted},"conversation_id":{quoted},"id":{quoted}"#),
            format!(r#""roomId":"{text}",{quoted}:1"#),
        ];
        for member in members {
            let request = place.request(place.body(&member)).header("X-User", &as_field(text));
            Client::once(place.address(modegate), request).await;
        }
    }
}

async fn over_http2(modegate: &Modegate, text: &str) {
    for name in ["x-request-id", "x-a", "cookie", ":path", ":authority", ":method"] {
        let mut fields = vec![
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/api/chat"),
            (":authority", "h"),
        ];
        // What is no path may be logged by who reads it first.
        let text = if name.starts_with(':') { format!("/{SECRET}{text}") } else { text.to_owned() };
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = &text,
            None => fields.push((name, &text)),
        }
        let mut h2 = H2::connect(modegate.leg("frontend", 1)).await;
        let stream = h2.say(&fields, "{").await;
        // Refused as a stream or as a connection, or answered.
        h2.answer(stream).await;
    }
}

async fn admin(modegate: &Modegate, text: &str) {
    let bodies = [
        ("/flags/kill", json!({ "value": true, "actor": text, "reason": text })),
        ("/flags/kill", json!({ "value": false, "actor": "ann", "reason": text })),
        ("/log", json!({ "level": text, "actor": "ann", "reason": text })),
        ("/log", json!({ "level": format!("info,{text}=debug"), "actor": "ann", "reason": "r" })),
        ("/log", json!({ "level": "trace", "actor": text, "reason": text })),
        ("/log", json!({ "level": "trace", "actor": "ann", "reason": "r", "expires": text })),
        ("/log", json!({ text: text, "actor": "ann", "reason": "r" })),
    ];
    for (path, body) in bodies {
        let response = modegate.call("PUT", path, Some(body)).await;
        assert!([200, 400].contains(&response.status), "{}", response.text());
    }
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    raw(modegate.admin(), format!("PUT /flags/{text} HTTP/1.1\r\n{token}")).await;
    raw(modegate.admin(), format!("PUT /flags/{} HTTP/1.1\r\n{token}", encoded(text))).await;
    let taken = json!({ "actor": "ann", "reason": "over" });
    modegate.call("DELETE", "/flags/kill", Some(taken)).await;
}

#[tokio::test]
async fn nothing_that_is_sent_begins_a_line_at_any_level() {
    let origin = Origin::start(|request| match request.target() {
        "/dead" => Answer::ThenClose(Vec::new()),
        _ => Answer::ok("{}"),
    })
    .await;
    let flags = "[flags]\ncontract = true\nruntime = true\n[canary]\nkey = [\"header:x-user\"]\n";
    let clear = listener("frontend", &origin.url()) + "h2c = true\n";
    let config = format!("{}{clear}", settings(&origin, flags));
    let mut modegate = Modegate::start(&config).await;
    for level in ["info", "debug", "trace"] {
        let body = json!({ "level": level, "actor": "ann", "reason": "a test" });
        assert_eq!(modegate.call("PUT", "/log", Some(body)).await.status, 200);
        for text in HOSTILE {
            heads(&modegate, text).await;
            bodies(&modegate, text).await;
            over_http2(&modegate, text).await;
            admin(&modegate, text).await;
        }
    }
    assert_eq!(modegate.terminate().await, Some(0));
    modegate.log_ended().await;
    let lines = modegate.logs();
    assert!(lines.iter().any(|line| line.contains("\"level\":\"TRACE\"")), "at every level");
    assert!(lines.iter().any(|line| line.contains("\\u2028")), "a reason with a line end is said");
    for line in &lines {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
        for key in ["timestamp", "level", "target"] {
            assert!(parsed[key].is_string(), "case 86: {line:?}");
        }
        let breaks = |letter: char| {
            let directs = matches!(letter,
                '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
            letter.is_control() || directs
        };
        assert!(!line.chars().any(breaks), "case 86: {line:?}");
        assert!(!line.contains(SECRET), "case 86: {line:?}");
        // What a request says is in no other line than its own.
        let forged = parsed["target"] == "access" && !parsed["request_id"].is_string();
        assert!(!forged && parsed["level"] != "ERROR", "case 86: {line:?}");
    }
    assert_eq!(modegate.stderr(), "", "case 86");
}
