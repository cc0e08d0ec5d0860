//! Upgrades: tunnels both ways, and none around the contract.

use crate::harness::{Answer, Client, End, Modegate, Origin, Request, eventually, settings};
use crate::messages::PLACES;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
     Sec-WebSocket-Protocol: chat\r\nX-Processing-Mode: fast\r\n\r\n";

fn upgrade(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

async fn tunnel_origin() -> Origin {
    Origin::start(|_| Answer::Tunnel(SWITCH.as_bytes().to_vec())).await
}

/// Reads this many bytes of a tunnel.
async fn read(client: &mut Client, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let more = client.bytes().await;
        assert!(!more.is_empty(), "the tunnel ended after {} bytes", bytes.len());
        bytes.extend(more);
    }
    bytes
}

#[tokio::test]
async fn bytes_pass_both_ways_untouched() {
    let origin = tunnel_origin().await;
    let modegate = Modegate::start(&(settings(&origin, "") + "allow = [\"GET /ws\"]\n")).await;
    for leg in ["frontend", "bridge", "runtime"] {
        let mut client = Client::connect(modegate.leg(leg, 0)).await;
        client.write(upgrade("/ws?clientId=a").bytes()).await;
        let head = client.head().await.expect("an answer");
        assert_eq!(head.part(1), "101");
        assert_eq!(head.field("upgrade"), Some("websocket"));
        assert_eq!(
            head.field("connection").map(str::to_ascii_lowercase).as_deref(),
            Some("upgrade")
        );
        assert_eq!(head.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(head.field("sec-websocket-protocol"), Some("chat"));
        assert_eq!(head.field("x-processing-mode"), None);
        assert!(head.field("x-request-id").is_some());

        let received = origin.received().pop().expect("the handshake");
        assert_eq!(received.target(), "/ws?clientId=a");
        assert_eq!(received.header("upgrade"), Some("websocket"));
        assert_eq!(received.header("connection"), Some("upgrade"));
        assert_eq!(received.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));

        let frames: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let halves = frames.split_at(7);
        client.write(halves.0).await;
        assert_eq!(read(&mut client, 7).await, halves.0);
        client.write(halves.1).await;
        assert!(read(&mut client, halves.1.len()).await == halves.1);
        modegate.counted("modegate_tunnels", &[], 1.0).await;
        drop(client);
        modegate.counted("modegate_tunnels", &[], 0.0).await;
        eventually("the origin's end", async || (origin.open() == 0).then_some(())).await;
    }
    let lines = modegate.access(3).await;
    assert_eq!((&lines[0]["status"], &lines[0]["outcome"]), (&101.into(), &"ok".into()));
    assert_eq!((&lines[0]["bytes_in"], &lines[0]["bytes_out"]), (&300_000.into(), &300_000.into()));
}

#[tokio::test]
async fn bytes_sent_with_the_handshake_arrive() {
    let with_greeting = format!("{SWITCH}greeting");
    let origin = Origin::start(move |_| Answer::Tunnel(with_greeting.clone().into_bytes())).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for _ in 0..20 {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write([upgrade("/ws").bytes(), b"at once".to_vec()].concat()).await;
        assert_eq!(client.head().await.expect("an answer").part(1), "101");
        assert_eq!(read(&mut client, 15).await, b"greetingat once");
    }
}

#[tokio::test]
async fn the_upstreams_end_is_the_clients() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(upgrade("/ws").bytes()).await;
    let answer = scripts.next().await;
    answer.send(SWITCH);
    answer.send("bye");
    answer.step(crate::harness::Step::Close);
    assert_eq!(client.head().await.expect("an answer").part(1), "101");
    assert_eq!(read(&mut client, 3).await, b"bye");
    client.finish().await;
    client.closed().await;
    modegate.counted("modegate_tunnels", &[], 0.0).await;
}

#[tokio::test]
async fn after_one_sides_end_the_other_is_waited_for_no_longer_than_for_any_answer() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "[timeouts]\nidle = \"150ms\"\n")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(upgrade("/ws").bytes()).await;
    let answer = scripts.next().await;
    answer.send(SWITCH);
    assert_eq!(client.head().await.expect("an answer").part(1), "101");
    answer.step(crate::harness::Step::Close);
    modegate.counted("modegate_tunnels", &[], 0.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
    client.closed().await;
}

#[tokio::test]
async fn an_upgrade_is_no_way_around_the_contract() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        for protocol in ["websocket", "h2c", "foo/1"] {
            let request = place
                .request(place.body(r#""processing":{"mode":"fast"}"#))
                .header("Connection", "Upgrade")
                .header("Upgrade", protocol);
            let response = Client::once(place.address(&modegate), request).await;
            let text = response.text();
            assert_eq!((response.status, text), (200, place.body("")), "{protocol} {place:?}");
            let received = origin.last();
            assert_eq!(received.header("upgrade"), None, "{protocol}");
            assert_eq!(received.header("connection"), None, "{protocol}");
        }
    }
    // Nor is an answer that switches unasked.
    let origin = tunnel_origin().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        let request = place.request(place.body("")).header("Connection", "Upgrade");
        let mut client = Client::connect(place.address(&modegate)).await;
        let response = client.exchange(&request.header("Upgrade", "websocket")).await;
        assert_eq!(response.status, 502, "{place:?}");
    }
    let response = Client::once(modegate.frontend(), Request::get("/other")).await;
    assert_eq!(response.status, 502);
}

#[tokio::test]
async fn a_refused_upgrade_is_an_answer_and_the_connections_end() {
    let origin = Origin::start(|request| match request.target() {
        "/400" => Answer::status("400 Bad Request", "", "no"),
        "/401" => Answer::status("401 Unauthorized", "Connection: close\r\n", "no"),
        _ => Answer::ok("no"),
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (target, status) in [("/400", 400), ("/401", 401), ("/200", 200)] {
        let mut client = Client::connect(modegate.frontend()).await;
        let response = client.exchange(&upgrade(target)).await;
        assert_eq!((response.status, response.text().as_str()), (status, "no"));
        assert_eq!(response.end, End::Clean);
        assert_eq!(response.header("connection"), Some("close"));
        client.closed().await;
        let next = Client::once(modegate.frontend(), Request::get("/next")).await;
        assert_eq!((next.status, next.text().as_str()), (200, "no"), "after {target}");
    }
}

#[tokio::test]
async fn a_body_behind_a_refused_upgrade_is_no_request() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let request = Request::post("/other", smuggled)
        .header("Connection", "Upgrade")
        .header("Upgrade", "foo/1");
    let response = Client::once(modegate.frontend(), request).await;
    assert_eq!((response.status, response.text().as_str()), (200, smuggled));
    assert_eq!(origin.requests(), 1);
    assert_eq!(origin.last().text(), smuggled);
}

#[tokio::test]
async fn h2c_is_not_passed_on() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for protocol in ["h2c", "H2C", "h2c, websocket"] {
        let request = Request::get("/other")
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", protocol)
            .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA");
        assert_eq!(Client::once(modegate.frontend(), request).await.status, 200);
        let received = origin.last();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(received.header(name), None, "{name} of {protocol}");
        }
    }
    let mut client = Client::connect(modegate.frontend()).await;
    client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.closed().await;
    assert_eq!(origin.requests(), 3);
}

#[tokio::test]
async fn a_silent_tunnel_ends_after_its_idle_time_if_it_has_one() {
    let origin = tunnel_origin().await;
    let extra = "[timeouts]\nupgrade_idle = \"150ms\"\nidle = \"20ms\"\nkeep_alive = \"20ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(upgrade("/ws").bytes()).await;
    assert_eq!(client.head().await.expect("an answer").part(1), "101");
    client.write("ping").await;
    assert_eq!(read(&mut client, 4).await, b"ping");
    assert_eq!(client.bytes().await, b"", "the end");
    eventually("the origin's end", async || (origin.open() == 0).then_some(())).await;
    modegate.counted("modegate_tunnels", &[], 0.0).await;
}

#[tokio::test]
async fn a_tunnel_outlives_every_other_limit() {
    let origin = tunnel_origin().await;
    let extra = "[timeouts]\nidle = \"50ms\"\nkeep_alive = \"400ms\"\nheader = \"400ms\"\n\
         first_byte = \"400ms\"\nbody = \"400ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(upgrade("/ws").bytes()).await;
    assert_eq!(client.head().await.expect("an answer").part(1), "101");
    // An idle connection is closed meanwhile: that long the tunnel has been silent.
    let mut idle = Client::connect(modegate.frontend()).await;
    assert_eq!(idle.exchange(&Request::post("/api/chat", "{")).await.status, 400);
    idle.closed().await;
    client.write("still").await;
    assert_eq!(read(&mut client, 5).await, b"still");
}
