//! Cases 55, 56, 59 and 60: what follows a refusal, an upgrade that is refused, pipelines, and
//! expectations.

use crate::framing::{Front, SMUGGLED, bytes};
use crate::harness::{Answer, Client, End, Modegate, Origin, Request, eventually, settings};

#[tokio::test]
async fn case_55_a_refused_requests_body_is_never_a_request() {
    let front = Front::start("[contract]\nbody_limit = \"1KiB\"\n").await;
    // A body that looks like requests, refused before its end, within it, or never.
    let body = SMUGGLED.replace("Connection: close\r\n", "").repeat(400);
    let length = body.len();
    let heads = [
        (413, format!("POST /api/chat HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n")),
        (
            415,
            format!(
                "POST /api/chat HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n"
            ),
        ),
        (
            417,
            format!(
                "POST /upload HTTP/1.1\r\nHost: h\r\nExpect: x\r\nContent-Length: {length}\r\n"
            ),
        ),
        (405, format!("TRACE /upload HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n")),
        (400, format!("POST /upload HTTP/1.1\r\nContent-Length: {length}\r\n")),
        (413, "POST /api/chat HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n".to_owned()),
        (400, "POST /api/chat HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n".to_owned()),
    ];
    for (status, head) in heads {
        let body = match head.contains("Transfer-Encoding") {
            true => format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
            false => body.clone(),
        };
        for round in 0..8 {
            let mut client = Client::connect(front.modegate.leg("frontend", round % 2)).await;
            // Whole, or what follows only after the answer.
            let whole = bytes(&format!("{head}\r\n{body}{SMUGGLED}"));
            let (now, later) = whole.split_at(if round < 4 { whole.len() } else { 2000 });
            client.write(now).await;
            assert_eq!(client.response().await.status, status, "{head:?}");
            client.offer(later, crate::harness::DEADLINE).await;
            client.closed().await;
        }
        front.saw_nothing_whole(&head).await;
        front.answers(&head).await;
    }
}

#[tokio::test]
async fn case_55_the_answer_is_read_before_the_connections_end() {
    let origin = Origin::echo().await;
    let extra = "[contract]\nbody_limit = \"1KiB\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    for _ in 0..20 {
        // More is sent than was read when the answer left, and only then is it looked for.
        let mut client = Client::connect(modegate.frontend()).await;
        let head = "POST /api/chat HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n";
        client.write(head).await;
        client.write([b' '; 2000]).await;
        modegate.counted("modegate_inflight", &[], 0.0).await;
        for _ in 0..10 {
            client.write([b' '; 10_000]).await;
        }
        assert_eq!(client.response().await.status, 413);
        client.closed().await;
        drop(client);
    }
    modegate.counted("modegate_connections", &[("leg", "frontend")], 0.0).await;
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn case_56_nothing_behind_a_refused_upgrade_is_read() {
    let ask = "Upgrade: foo\r\nConnection: upgrade\r\n";
    let answers = [
        (200, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (404, "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"),
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
        (426, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: foo\r\nContent-Length: 0\r\n\r\n"),
    ];
    let rests = [
        SMUGGLED.repeat(3),
        format!("Content-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len()),
        "\0\u{ff}frames".to_owned(),
    ];
    for (status, answer) in answers {
        let origin = Origin::start(move |_| Answer::Bytes(answer.as_bytes().to_vec())).await;
        let modegate = Modegate::start(&settings(&origin, "")).await;
        for (leg, target) in [("frontend", "/ws"), ("bridge", "/ws"), ("frontend", "/api/chat")] {
            for rest in &rests {
                let method = if target == "/ws" { "GET" } else { "POST" };
                let fields = match rest.starts_with("Content-Length") {
                    true => String::new(),
                    false => "Content-Length: 2\r\n\r\n{}".to_owned(),
                };
                let text = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{ask}{fields}{rest}");
                let mut client = Client::connect(modegate.leg(leg, 0)).await;
                client.write(bytes(&text)).await;
                let response = client.response().await;
                if method == "GET" || fields.contains("{}") {
                    assert_eq!(response.status, status, "{text:?}");
                }
                assert_eq!(response.header("connection"), Some("close"), "{text:?}");
                client.closed().await;
                assert!(origin.requests() <= 1, "{text:?}");
                for received in origin.received() {
                    assert_eq!(received.target(), target, "{text:?}");
                    let body = if fields.is_empty() { SMUGGLED } else { "{}" };
                    assert_eq!((received.text().as_str(), received.end), (body, Some(End::Clean)));
                }
                origin.forget();
            }
            let response = Client::once(modegate.leg(leg, 0), Request::get("/control")).await;
            assert_eq!((response.status, origin.requests()), (status, 1));
            origin.forget();
        }
    }
}

#[tokio::test]
async fn case_56_node_never_reads_what_follows_an_upgrade() {
    let front = Front::start("").await;
    let ask = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n";
    for _ in 0..5 {
        let mut client = Client::connect(front.modegate.leg("frontend", 1)).await;
        client.write(format!("{ask}{SMUGGLED}")).await;
        // Node's server answers the upgrade 404 and ends the connection.
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (404, Some("close")));
        client.closed().await;
        let log = front.node.take().await;
        assert_eq!((log.len(), log[0].kind.as_str(), log[0].url.as_str()), (1, "upgrade", "/ws"));
    }
    front.answers("an upgrade").await;
}

#[tokio::test]
async fn case_59_pipelined_requests_are_answered_in_order_each_judged_alone() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let padding = "p".repeat(20_000);
    let mut client = Client::connect(modegate.frontend()).await;
    let mut bytes = Vec::new();
    let body = |number: usize, member: &str| match number % 10 {
        9 => "{bad".to_owned(),
        4 => format!(r#"{{"number":{number},"padding":"{padding}"{member}}}"#),
        _ => format!(r#"{{"number":{number}{member}}}"#),
    };
    for number in 0..100 {
        let member = if number % 2 == 0 { r#","processing":{"mode":"fast"}"# } else { "" };
        let mut request = Request::post("/api/chat", body(number, member));
        if number % 3 == 0 {
            request = request.chunked(if number % 10 == 4 { 1000 } else { 5 });
        }
        bytes.extend(request.bytes());
    }
    // A fault at the end of it all does not touch what was before.
    bytes.extend(b"GET / HTTP/1.1\nHost: h\r\n\r\n");
    bytes.extend(SMUGGLED.as_bytes());
    client.write(bytes).await;
    for number in 0..100 {
        let response = client.response().await;
        let expected = match number % 10 {
            9 => (400, r#"{"error":"Invalid JSON in request body"}"#.to_owned()),
            _ => (200, body(number, "")),
        };
        assert_eq!((response.status, response.text()), expected);
    }
    assert_eq!(client.response().await.status, 400);
    client.closed().await;
    assert_eq!(origin.requests(), 90);
}

#[tokio::test]
async fn case_60_a_client_that_waits_gets_one_interim_answer_or_the_last_one() {
    let front = Front::start("[contract]\nbody_limit = \"1KiB\"\n").await;
    for at in [0, 1] {
        let address = front.modegate.leg("frontend", at);
        for target in ["/api/chat", "/upload"] {
            let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n");
            let mut client = Client::connect(address).await;
            client.write(format!("{head}Content-Length: 2\r\n\r\n")).await;
            assert_eq!(client.head().await.expect("an answer").part(1), "100", "{target}");
            client.write("{}").await;
            let response = client.response().await;
            assert_eq!((response.status, response.interim.len()), (200, 0), "{target}");
            // Framing is judged behind a wait too.
            client.write(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
            assert_eq!(client.head().await.expect("an answer").part(1), "100", "{target}");
            client.write(format!("2\n{{}}\r\n0\r\n\r\n{SMUGGLED}")).await;
            assert_eq!(client.response().await.status, 400, "{target}");
            client.closed().await;
        }
        let refused = [
            (413, "/api/chat", "Expect: 100-continue\r\nContent-Length: 2000\r\n"),
            (417, "/upload", "Expect: 100-continue, x\r\nContent-Length: 2\r\n"),
            (400, "/upload", "Expect: 100-continue\r\nContent-Length: 2\r\nContent-Length: 2\r\n"),
        ];
        for (status, target, fields) in refused {
            let mut client = Client::connect(address).await;
            client.write(format!("POST {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")).await;
            let response = client.response().await;
            assert_eq!((response.status, response.interim.len()), (status, 0), "{fields:?}");
            client.closed().await;
        }
    }
    eventually("the end at the origin", async || {
        front.recorder.received().iter().all(|one| one.end.is_some()).then_some(())
    })
    .await;
    let whole = front.recorder.received().iter().filter(|one| one.end == Some(End::Clean)).count();
    assert_eq!(whole, 2);
    front.recorder.forget();
    front.node.take().await;
    front.answers("expectations").await;
}
