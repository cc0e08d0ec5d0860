//! A request's id and trace: continued where they are good, new where they are not.

use crate::harness::{Client, Modegate, Origin, Received, Request, Response, settings};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

async fn sent(modegate: &Modegate, origin: &Origin, fields: Fields<'_>) -> (Received, Response) {
    let mut request = Request::post("/api/chat", "{}");
    for (name, value) in fields {
        request = request.header(name, value);
    }
    let response = Client::once(modegate.frontend(), request).await;
    assert_eq!(response.status, 200);
    (origin.last(), response)
}

fn is_uuid_7(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    lengths == [8, 4, 4, 4, 12] && hex && parts[2].starts_with('7')
}

#[tokio::test]
async fn an_id_is_kept_or_replaced() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let long = "x".repeat(64);
    let longer = "x".repeat(65);
    let cases: [(Fields<'_>, Option<&str>); 10] = [
        (&[("X-Request-Id", "abc-123")], Some("abc-123")),
        (&[("x-request-id", "!~{}\"")], Some("!~{}\"")),
        (&[("X-Request-Id", &long)], Some(&long)),
        (&[], None),
        (&[("X-Request-Id", &longer)], None),
        (&[("X-Request-Id", "")], None),
        (&[("X-Request-Id", "two words")], None),
        (&[("X-Request-Id", "caf\u{e9}")], None),
        (&[("X-Request-Id", "one"), ("x-request-id", "two")], None),
        (&[("X_Request_Id", "under")], None),
    ];
    let mut fresh = Vec::new();
    for (fields, kept) in cases {
        let (received, response) = sent(&modegate, &origin, fields).await;
        let id = received.header("x-request-id").expect("an id").to_owned();
        assert_eq!(response.header("x-request-id"), Some(id.as_str()), "{fields:?}");
        match kept {
            Some(kept) => assert_eq!(id, kept),
            None => {
                assert!(is_uuid_7(&id), "{id} for {fields:?}");
                fresh.push(id);
            }
        }
    }
    let in_order = fresh.clone();
    fresh.sort();
    fresh.dedup();
    assert_eq!(fresh.len(), in_order.len(), "every new id is another one");
    let lines = modegate.access(10).await;
    assert_eq!(lines[0]["request_id"], "abc-123");
}

#[tokio::test]
async fn a_trace_is_continued_or_begun() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let span = "b7ad6b7169203331";
    let good = [
        (format!("00-{TRACE}-{span}-01"), "01"),
        (format!("00-{TRACE}-{span}-00"), "00"),
        (format!("00-{TRACE}-{span}-03"), "01"),
        (format!("01-{TRACE}-{span}-01-more"), "01"),
    ];
    for (parent, flags) in &good {
        let fields = [("Traceparent", parent.as_str()), ("Tracestate", "a=1")];
        let (received, response) = sent(&modegate, &origin, &fields).await;
        let ours = received.header("traceparent").expect("a trace").to_owned();
        let parts: Vec<&str> = ours.split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, *flags), "{parent}");
        assert!(parts[2] != span && parts[2].len() == 16, "a span of our own: {ours}");
        assert_eq!(received.header("tracestate"), Some("a=1"));
        assert_eq!(response.header("traceparent"), None);
    }
    let bad = [
        String::new(),
        "nonsense".to_owned(),
        format!("ff-{TRACE}-{span}-01"),
        format!("00-{}-{span}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-{span}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{span}-01-more"),
    ];
    for parent in &bad {
        let fields = [("Traceparent", parent.as_str()), ("Tracestate", "a=1")];
        let (received, _) = sent(&modegate, &origin, &fields).await;
        let ours = received.header("traceparent").expect("a trace").to_owned();
        assert!(ours.len() == 55 && !ours.contains(TRACE), "{ours} for {parent}");
        assert_eq!(received.header("tracestate"), None, "{parent}");
    }
    let line = &modegate.access(good.len() + bad.len()).await[0];
    assert_eq!(line["trace_id"], TRACE);
}
