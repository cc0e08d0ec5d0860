//! Where a request goes: always to the configured upstream, by the reading of the servers behind.

use crate::harness::{Answer, Client, Modegate, Origin, Request, settings};

const BODY: &str = r#"{"text":"t","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"t"}"#;

#[tokio::test]
async fn every_spelling_of_a_route_is_inspected() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let path = "/api/conversations/1/messages";
    let targets = [
        path.to_owned(),
        format!("{path}?q=/api"),
        format!("{path}?"),
        format!("/x/..{path}"),
        format!("/%2e%2e{path}"),
        format!("/.{path}"),
        format!("//evil.example{path}"),
        format!("http://evil.example{path}"),
        format!("http://127.0.0.1:1{path}?a=b"),
        format!("https://evil.example{path}"),
        "/api/conversations/a%2Fb/messages/stream".to_owned(),
        "/api/conversations/%zz/messages".to_owned(),
    ];
    for target in targets {
        let response = modegate.post(&target, BODY).await;
        assert_eq!((response.status, response.text().as_str()), (200, STRIPPED), "{target}");
        let received = origin.last();
        assert_eq!(received.header("x-processing-requested"), Some("fast"), "{target}");
        assert_eq!(received.header("host"), Some(&*origin.address.to_string()), "{target}");
    }
}

#[tokio::test]
async fn an_absolute_target_goes_to_the_fixed_upstream() {
    let (origin, other) = (Origin::echo().await, Origin::echo().await);
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let admin = modegate.admin();
    for authority in [other.address.to_string(), admin.to_string(), "169.254.169.254".to_owned()] {
        for (path, arrives) in [("/flags", "/flags"), ("", "/"), ("/a?b=c", "/a?b=c")] {
            let request = Request::get(&format!("http://{authority}{path}"));
            let response = Client::once(modegate.frontend(), request).await;
            assert_eq!(response.status, 200);
            let received = origin.last();
            assert_eq!(received.target(), arrives);
            assert_eq!(received.header("host"), Some(&*origin.address.to_string()));
        }
    }
    assert_eq!(other.accepted(), 0);
}

#[tokio::test]
async fn a_target_that_node_refuses_never_becomes_another() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let targets: [&[u8]; 6] = [
        b"/api/ch\tat",
        b"/api/chat\0",
        b"/api chat",
        b"api/chat",
        b"\\api\\chat",
        b"/api/ch\xc3\xa9t",
    ];
    for target in targets {
        let mut client = Client::connect(modegate.frontend()).await;
        let head =
            [b"POST ", target, b" HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"].concat();
        client.write(head).await;
        let status = client.try_response_to("POST").await.map_or(400, |response| response.status);
        let name = String::from_utf8_lossy(target);
        assert_eq!((status, origin.requests()), (400, 0), "{name}");
    }
    let inspected = modegate.metrics().await;
    let of = |dialect| inspected.sum("modegate_requests_total", &[("dialect", dialect)]);
    assert!(of("conversation") < 0.5, "none of them is the route");
}

#[tokio::test]
async fn no_spelling_that_node_reads_as_a_route_gets_past() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let targets = [
        "/\\evil.example/api/chat",
        "/api\\chat",
        "ws://evil.example/api/chat",
        "foo://h/api\\chat",
        "foo://h//x/api/chat",
        "ws://h//x/api/chat",
        "file://h/c|/../api/chat",
        "foo://h/c:/../api/chat",
        "///h/api/chat",
        "/\\/h/api/chat",
        "/c:/../api/chat",
        "//xn--a-/api/chat",
        "file:///api/chat",
        "/api/chat#fragment",
        "http://evil.example\\api\\chat",
        "http://user@evil.example/api/chat",
        "HTTP://evil.example/x/%2E%2e/api/chat",
    ];
    for target in targets {
        let response = modegate.post(target, BODY).await;
        match response.status {
            400 | 404 => {}
            _ => assert_eq!(response.text(), STRIPPED, "{target}"),
        }
    }
    for received in origin.received() {
        assert_eq!(received.text(), STRIPPED, "{}", received.target());
    }
}

#[tokio::test]
async fn preflights_and_other_methods_pass() {
    let origin = Origin::start(|_| {
        let fields = "Access-Control-Allow-Origin: http://localhost:5173\r\nVary: Origin\r\n\
             Access-Control-Allow-Headers: Content-Type, X-Api-Key\r\n";
        Answer::Bytes(format!("HTTP/1.1 204 No Content\r\n{fields}\r\n").into_bytes())
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (leg, target) in [
        ("frontend", "/api/chat"),
        ("frontend", "/v1/messages"),
        ("bridge", "/api/v1/milady/agents/a/bridge"),
    ] {
        let request = Request::new("OPTIONS", target)
            .header("Origin", "http://localhost:5173")
            .header("Access-Control-Request-Method", "POST");
        let response = Client::once(modegate.leg(leg, 0), request).await;
        assert_eq!(response.status, 204);
        let allowed = response.header("access-control-allow-origin");
        assert_eq!(allowed, Some("http://localhost:5173"));
        assert_eq!(response.header("vary"), Some("Origin"));
        let received = origin.last();
        assert_eq!(received.method(), "OPTIONS");
        assert_eq!(received.header("origin"), Some("http://localhost:5173"));
        assert_eq!(received.header("access-control-request-method"), Some("POST"));
    }
    for method in ["GET", "DELETE", "PATCH", "PUT", "M-SEARCH"] {
        let response = Client::once(modegate.frontend(), Request::new(method, "/api/chat")).await;
        assert_eq!((response.status, origin.last().method()), (204, method));
    }
}

/// Case 42: Node delivers the body of any method, so none is a way around the contract.
#[tokio::test]
async fn a_body_is_inspected_whatever_the_method() {
    let origin = Origin::start(|_| Answer::ok("{}")).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (leg, target, body, left) in [
        ("frontend", "/api/chat", r#"{"text":"t","processing":1}"#, r#"{"text":"t"}"#),
        (
            "bridge",
            "/api/v1/milady/agents/a/bridge",
            r#"{"method":"m","params":{"processing":1}}"#,
            r#"{"method":"m","params":{}}"#,
        ),
    ] {
        for method in ["GET", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "POST"] {
            for request in [
                Request::new(method, target).body(body),
                Request::new(method, target).body(body).chunked(7),
            ] {
                let mut client = Client::connect(modegate.leg(leg, 0)).await;
                let response = client.exchange(&request).await;
                let received = origin.last();
                assert_eq!((response.status, received.method()), (200, method), "{target}");
                assert_eq!(received.text(), left, "{method} {target}");
                origin.forget();
            }
            let broken = Request::new(method, target).body("{bad");
            assert_eq!(Client::once(modegate.leg(leg, 0), broken).await.status, 400, "{method}");
            assert!(origin.received().is_empty(), "{method} {target}");
        }
    }
}
