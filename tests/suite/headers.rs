//! Which headers pass, which do not, and what stands in their place, both ways.

use crate::harness::{Answer, Client, Modegate, Origin, Request, settings};
use crate::messages::PLACES;

/// The names that the origin may see beside those that the client sent.
const OURS: [&str; 9] = [
    "host",
    "content-length",
    "x-request-id",
    "traceparent",
    "x-processing-mode",
    "x-processing-requested",
    "x-processing-profile",
    "x-processing-room",
    "x-processing-cohort",
];

#[tokio::test]
async fn host_is_the_upstreams() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let host = origin.address.to_string();
    for host_sent in ["client.example", "evil.example:80", "127.0.0.1:1"] {
        for target in ["/api/chat", "/api/other"] {
            let request = Request::post(target, "{}").header("Host", host_sent).only_last("Host");
            assert_eq!(Client::once(modegate.frontend(), request).await.status, 200);
            assert_eq!(origin.last().head.all("host"), [host.as_str()], "{target}");
        }
    }
}

#[tokio::test]
async fn everything_else_of_the_clients_passes_in_its_order() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let sent = [
        ("Authorization", "Bearer s3cret"),
        ("X-Api-Key", "k"),
        ("Cookie", "a=1; b=2"),
        ("Origin", "http://localhost:5173"),
        ("Accept-Language", "*"),
        ("Accept-Encoding", "gzip, deflate"),
        ("X-Milady-Client-Id", "ui-1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Latin", "caf\u{e9}"),
        ("X-Empty", ""),
        ("X-Processing", "not a tag"),
        ("X-Processing-Mode-Extra", "not a tag either"),
    ];
    for place in PLACES {
        let mut request = place.request(place.body(""));
        for (name, value) in sent {
            request = request.header(name, value);
        }
        request = request.header("X-Twice", "1").header("X-Twice", "2");
        let response = Client::once(place.address(&modegate), request).await;
        assert_eq!(response.status, 200);
        let received = origin.last();
        for (name, value) in sent {
            let value = value.replace('\u{e9}', "\u{c3}\u{a9}");
            // The answer to a message is looked into.
            let value = if name == "Accept-Encoding" { "identity" } else { &value };
            assert_eq!(received.header(name), Some(value), "{}", place.target);
        }
        assert_eq!(received.head.all("x-twice"), ["1", "2"]);
        let known = |name: &str| {
            let name = name.to_ascii_lowercase();
            let sent = sent.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(&name));
            sent || OURS.contains(&&*name)
                || ["content-type", "accept", "x-twice"].contains(&&*name)
        };
        let unknown: Vec<_> =
            received.head.fields.iter().filter(|(name, _)| !known(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

#[tokio::test]
async fn what_belongs_to_the_clients_connection_stays_there() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let gone = ["connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"];
    for target in ["/api/chat", "/api/other"] {
        let request = Request::post(target, "{}")
            .header("Connection", "X-Secret, keep-alive ,x-other")
            .header("Connection", "TE, HTTP2-Settings")
            .header("X-Secret", "1")
            .header("x-other", "2")
            .header("X-Kept", "3")
            .header("Keep-Alive", "timeout=5")
            .header("Proxy-Connection", "keep-alive")
            .header("TE", "trailers")
            .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
            .header("Upgrade", "h2c");
        let response = Client::once(modegate.frontend(), request).await;
        assert_eq!(response.status, 200, "{target}");
        let received = origin.last();
        assert_eq!(received.header("x-kept"), Some("3"));
        for name in gone.iter().chain(&["x-secret", "x-other"]) {
            assert_eq!(received.header(name), None, "{name} on {target}");
        }
    }
}

#[tokio::test]
async fn what_belongs_to_the_upstreams_connection_stays_there() {
    let origin = Origin::start(|_| {
        let fields = "Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
             Proxy-Connection: keep-alive\r\nUpgrade: websocket\r\nX-Kept: 2\r\n\
             Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: node\r\n";
        Answer::status("201 Made Up", fields, "{}")
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for target in ["/api/chat", "/api/other"] {
        let response = modegate.post(target, "{}").await;
        assert_eq!((response.status, response.text().as_str()), (201, "{}"));
        for name in ["keep-alive", "x-hop", "proxy-connection", "upgrade", "transfer-encoding"] {
            assert_eq!(response.header(name), None, "{name} on {target}");
        }
        assert_eq!(response.header("x-kept"), Some("2"));
        assert_eq!(response.header("server"), Some("node"));
        assert_eq!(response.head.all("set-cookie"), ["a=1", "b=2"]);
    }
}

#[tokio::test]
async fn tags_of_the_client_are_replaced_in_every_spelling() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    let tags = ["mode", "requested", "profile", "room", "cohort"];
    for place in PLACES {
        let mut request = place.request(place.body(""));
        for tag in tags {
            for name in [
                format!("x-processing-{tag}"),
                format!("X-PROCESSING-{}", tag.to_uppercase()),
                format!("x_processing_{tag}"),
                format!("X-Processing_{tag}"),
                format!("x_processing-{tag}"),
            ] {
                request = request.header(&name, "spoofed");
            }
        }
        let request = request
            .header("x_request_id", "spoofed")
            .header("X-Request_Id", "spoofed")
            .header("Connection", "x-processing-mode, x-processing-room, x-request-id, traceparent")
            .header("Connection", "content-length, host, x-processing-cohort");
        let response = Client::once(place.address(&modegate), request).await;
        assert_eq!((response.status, response.text()), (200, place.body("")), "{}", place.target);
        let received = origin.last();
        let spoofed = |(_, value): &&(String, String)| value.contains("spoofed");
        let fields = &received.head.fields;
        assert_eq!(fields.iter().filter(spoofed).count(), 0, "{fields:?}");
        assert_eq!(received.header("x-processing-mode"), Some("default"));
        assert_eq!(received.header("x-processing-requested"), Some("none"));
        assert_eq!(received.header("x-processing-profile"), None);
        assert_eq!(received.header("x-processing-room"), Some(place.room));
        assert_eq!(received.header("x-processing-cohort"), Some("control"));
        assert_eq!(received.head.all("x-request-id").len(), 1);
        assert_eq!(received.head.all("traceparent").len(), 1);
        assert_eq!(received.head.all("host").len(), 1);
    }
    let request = Request::get("/api/other")
        .header("X-Processing-Mode", "fast")
        .header("x_processing_cohort", "canary");
    Client::once(modegate.frontend(), request).await;
    let received = origin.last();
    let tag = |name: &str| name.to_ascii_lowercase().replace('_', "-").starts_with("x-processing");
    assert!(!received.head.fields.iter().any(|(name, _)| tag(name)), "{:?}", received.head);
}

#[tokio::test]
async fn tags_in_trailers_do_not_arrive() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let trailers = "x-processing-mode: fast\r\nX_Processing_Room: r\r\nX-Request-Id: t\r\n\
         Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Sum: 7\r\n";
    for target in ["/api/chat", "/api/other"] {
        let mut client = Client::connect(modegate.frontend()).await;
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\
             Trailer: x-sum, x-processing-mode\r\n\r\n2\r\n{{}}\r\n0\r\n{trailers}\r\n"
        );
        client.write(head).await;
        assert_eq!(client.response().await.text(), "{}");
        let received = origin.last();
        let named: Vec<&str> = received.trailers.iter().map(|(name, _)| name.as_str()).collect();
        let expected: &[&str] = if target == "/api/chat" { &[] } else { &["x-sum"] };
        assert_eq!(named, expected, "{target}");
        assert_eq!(received.text(), "{}");
    }
}

#[tokio::test]
async fn the_upstreams_tags_are_not_passed_on() {
    let origin = Origin::start(|_| {
        let fields = "X-Processing-Mode: fast\r\nx_processing_mode: fast\r\n\
             X-Processing-Requested: fast\r\nX-Processing-Cohort: canary\r\n\
             X-Processing-Room: secret-room\r\nX-Processing-Profile: p\r\n\
             X-Request-Id: upstream\r\nTraceparent: 00-1-2-3\r\n";
        Answer::status("200 OK", fields, "{}")
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (target, mode) in [("/api/chat", Some("default")), ("/api/other", None)] {
        let request = Request::post(target, "{}").header("X-Request-Id", "mine");
        let response = Client::once(modegate.frontend(), request).await;
        let tag = |name: &&str| name.starts_with("x-processing") || *name == "traceparent";
        let names = response.head.fields.iter().map(|(name, _)| name.to_ascii_lowercase());
        let names: Vec<String> = names.map(|name| name.replace('_', "-")).collect();
        let tags: Vec<&str> = names.iter().map(String::as_str).filter(tag).collect();
        assert_eq!(tags, mode.map_or(vec![], |_| vec!["x-processing-mode"]), "{target}");
        assert_eq!(response.header("x-processing-mode"), mode);
        assert_eq!(response.header("x-request-id"), Some("mine"));
    }
}
