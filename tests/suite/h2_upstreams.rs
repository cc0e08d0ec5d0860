//! Upstreams that speak HTTP/2: chosen by what they offer, shared by requests, and never sent a
//! message twice.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::harness::{
    Answer, Authority, Client, End, Frame, H2, H2Origin, Modegate, Origin, Reply, Request, frame,
    hpack, post, secure,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
/// One pool of upstream connections, and so numbers that can be known.
const ONE: &str = "[server]\nthreads = 1\n";

async fn origin(
    authority: &Authority,
    settings: &[(u16, u32)],
    script: impl Fn(&crate::harness::Streamed) -> Reply + Send + Sync + 'static,
) -> H2Origin {
    H2Origin::start(authority.server_of("localhost", &["h2"]), settings, script).await
}

/// A leg in clear in front of an origin over TLS.
async fn started(authority: &Authority, url: &str, extra: &str) -> Modegate {
    let dir = std::sync::Arc::new(crate::harness::TempDir::new());
    dir.write("ca.pem", authority.pem());
    let leg = crate::harness::listener("frontend", url);
    let config = format!("{extra}[upstream]\nca_file = \"{{dir}}/ca.pem\"\n{leg}h2c = true\n");
    crate::harness::Start::within(&config, dir).run().await
}

#[tokio::test]
async fn one_that_offers_http2_is_spoken_to_in_it_from_either_version() {
    let authority = Authority::new();
    let origin = origin(&authority, &[], |_| Reply::Echo).await;
    let modegate = started(&authority, &origin.url(), ONE).await;
    let one = modegate.post("/api/chat?x=1", FAST).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let two = h2.exchange(&post("/api/chat?x=1"), FAST).await;
    assert_eq!((one.status, one.text()), (two.status, two.text()));
    assert_eq!((two.status, two.text().as_str()), (200, STRIPPED));
    for received in origin.received() {
        let length = STRIPPED.len().to_string();
        for (name, value) in [
            (":method", Some("POST")),
            (":scheme", Some("https")),
            (":path", Some("/api/chat?x=1")),
            (":authority", Some(&*origin.authority())),
            ("content-length", Some(&*length)),
            ("content-type", Some("application/json")),
            ("x-processing-mode", Some("default")),
            ("host", None),
            ("te", None),
        ] {
            assert_eq!(received.header(name), value, "{name}: {:?}", received.fields);
        }
        assert_eq!((received.text().as_str(), received.ended), (STRIPPED, true));
        let regular: Vec<_> = received
            .fields
            .iter()
            .map(|(name, _)| &**name)
            .filter(|name| !name.starts_with(':'))
            .collect();
        let ours = regular.iter().position(|name| *name == "x-processing-mode");
        let theirs = regular.iter().position(|name| *name == "content-type");
        assert!(ours < theirs, "ours come first: {regular:?}");
    }
    assert_eq!(origin.accepted(), 1, "one connection for both");
}

#[tokio::test]
async fn one_that_offers_only_http1_or_nothing_is_spoken_to_in_that() {
    let authority = Authority::new();
    for protocols in [&["http/1.1"][..], &[]] {
        let tls = authority.server_of("localhost", protocols);
        let origin = Origin::start_tls(Some(tls), |_| Answer::Echo).await;
        let url = format!("https://localhost:{}", origin.address.tcp().port());
        let modegate = secure(&authority, &url, "").await;
        let agreed = authority.client(&["h2"], None).connect(modegate.frontend()).await.unwrap();
        let mut h2 = H2::over(agreed.stream);
        h2.begin().await;
        assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
        assert_eq!(origin.last().head.line, "POST /api/chat HTTP/1.1");
    }
}

#[tokio::test]
async fn an_upgrade_goes_to_it_in_http1() {
    let authority = Authority::new();
    let switch =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let tls = authority.server_of("localhost", &["h2", "http/1.1"]);
    let origin = Origin::start_tls(Some(tls), |_| Answer::Tunnel(switch.into())).await;
    let url = format!("https://localhost:{}", origin.address.tcp().port());
    let modegate = started(&authority, &url, ONE).await;
    for _ in 0..2 {
        let mut client = Client::connect(modegate.frontend()).await;
        let upgrade =
            Request::get("/ws").header("Connection", "Upgrade").header("Upgrade", "websocket");
        client.write(upgrade.bytes()).await;
        assert_eq!(client.head().await.expect("a head").part(1), "101");
        client.write("ping").await;
        assert_eq!(client.bytes().await, b"ping");
    }
    assert_eq!(origin.accepted(), 2, "a connection that was upgraded is nobody else's");
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let authority = Authority::new();
    let origin = origin(&authority, &[], |_| Reply::Nothing).await;
    let modegate = started(&authority, &origin.url(), ONE).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let mut streams = Vec::new();
    for at in 1..=40 {
        streams.push(h2.say(&post("/api/chat"), FAST).await);
        // The first opens the connection.
        origin.wait_for(at, |one| one.ended).await;
    }
    assert_eq!(origin.accepted(), 1);
    // The answers come in another order.
    let received = origin.received();
    for (at, one) in received.iter().enumerate().rev() {
        let head = hpack::block(&[(":status", "200")]);
        origin.send(0, Frame::headers(one.stream, head, 0));
        origin.send(0, Frame::data(one.stream, format!("answer {at}"), frame::END_STREAM));
    }
    for (at, stream) in streams.into_iter().enumerate() {
        assert_eq!(h2.answer(stream).await.text(), format!("answer {at}"));
    }
    let reuses = modegate.metrics().await.sum("modegate_upstream_reuses_total", &[]);
    assert_eq!(reuses as usize, 39);
}

#[tokio::test]
async fn as_many_streams_as_it_allows_and_no_more() {
    let authority = Authority::new();
    let settings = [(frame::MAX_CONCURRENT_STREAMS, 2)];
    let origin = origin(&authority, &settings, |request| match request.header(":path") {
        Some("/warm") => Reply::Echo,
        _ => Reply::Nothing,
    })
    .await;
    let modegate = started(&authority, &origin.url(), ONE).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    h2.exchange(&post("/warm"), "x").await;
    let mut streams = Vec::new();
    for at in 0..6 {
        streams.push(h2.say(&post("/api/chat"), FAST).await);
        origin.wait_for(at + 2, |one| one.ended).await;
    }
    assert_eq!((origin.most(), origin.accepted()), (2, 3));
    for one in &origin.received()[1..] {
        let head = hpack::block(&[(":status", "204")]);
        origin.send(one.connection, Frame::headers(one.stream, head, frame::END_STREAM));
    }
    for stream in streams {
        assert_eq!(h2.answer(stream).await.status, 204);
    }
    // Fewer streams than it allows, where we say so.
    let modegate =
        started(&authority, &origin.url(), &format!("{ONE}[limits]\nstreams = 1\n")).await;
    let before = origin.accepted();
    let mut clients = Vec::new();
    for at in 0..3 {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/api/chat", FAST).bytes()).await;
        origin.wait_for(at + 8, |one| one.ended).await;
        clients.push(client);
    }
    assert_eq!(origin.accepted() - before, 3);
}

#[tokio::test]
async fn a_connection_that_it_takes_leave_of_is_not_used_again() {
    let authority = Authority::new();
    let origin = origin(&authority, &[], |request| match request.header(":path") {
        Some("/api/chat/stream") => Reply::Nothing,
        _ => Reply::Echo,
    })
    .await;
    let modegate = started(&authority, &origin.url(), ONE).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let held = h2.say(&post("/api/chat/stream"), FAST).await;
    let seen = origin.wait_for(1, |one| one.ended).await;
    let head = [(":status", "200"), ("content-type", "text/event-stream")];
    origin.send(0, Frame::headers(seen.stream, hpack::block(&head), 0));
    h2.until(held, |answered| answered.status == 200).await;

    // With a stream still open on it.
    origin.send(0, Frame::go_away(seen.stream, frame::NO_ERROR));
    origin.send(0, Frame::data(seen.stream, "data: 1\n\n", 0));
    h2.until(held, |answered| !answered.body.is_empty()).await;
    assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
    assert_eq!(origin.last().connection, 1);
    origin.send(0, Frame::data(seen.stream, "data: 2\n\n", frame::END_STREAM));
    let answered = h2.answer(held).await;
    assert_eq!(answered.text(), "data: 1\n\ndata: 2\n\n");

    // With nothing on it, and with no word at all.
    origin.send(1, Frame::go_away(u32::MAX >> 1, frame::NO_ERROR));
    origin.close(1);
    crate::harness::eventually("its end", async || (origin.open() == 0).then_some(())).await;
    let answered = h2.exchange(&post("/api/chat"), FAST).await;
    assert!(matches!(answered.status, 200 | 502), "{answered:?}");
    let sent = origin.received().len();
    assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.status, 200);
    assert_eq!(origin.received().len(), sent + 1);
}

#[tokio::test]
async fn a_message_that_was_sent_is_never_sent_again() {
    let authority = Authority::new();
    let go_away = |last, code| Reply::Frames(vec![Frame::go_away(last, code)]);
    let refuse = |code| Reply::Early(vec![Frame::reset(0, code)]);
    let cases = [
        ("refused", refuse(frame::REFUSED_STREAM)),
        ("cancelled", refuse(frame::CANCEL)),
        ("an error", refuse(frame::PROTOCOL_ERROR)),
        ("GOAWAY before it", go_away(0, frame::NO_ERROR)),
        ("GOAWAY with an error", go_away(0, frame::ENHANCE_YOUR_CALM)),
        ("refused after it", Reply::Frames(vec![Frame::reset(0, frame::REFUSED_STREAM)])),
    ];
    for (case, reply) in cases {
        let answer = reply.clone();
        let origin = origin(&authority, &[], move |request| match request.header(":path") {
            Some("/warm") => Reply::Echo,
            _ => answer.clone(),
        })
        .await;
        let modegate = started(&authority, &origin.url(), ONE).await;
        // On a connection that was just opened, and on one that was there.
        for warm in [false, true] {
            if warm {
                assert_eq!(modegate.post("/warm", "x").await.status, 200, "{case}");
            }
            let sent = origin.received().len();
            let answer = modegate.post("/api/chat", FAST).await;
            assert_eq!(answer.status, 502, "{case}, warm {warm}");
            assert_eq!(origin.received().len(), sent + 1, "{case}, warm {warm}");
        }
        assert_eq!(modegate.post("/warm", "x").await.status, 200, "{case}");
    }
}

#[tokio::test]
async fn answers_that_break_off_are_cut() {
    let authority = Authority::new();
    let origin = origin(&authority, &[], |request| {
        let path = request.header(":path");
        let fields = [(":status", "200"), ("content-length", "9")];
        // That one does not show by its length.
        let fields = if path == Some("/no-error") { &fields[..1] } else { &fields };
        let start = vec![Frame::headers(0, hpack::block(fields), 0), Frame::data(0, "half", 0)];
        let end = match path {
            Some("/reset") => Frame::reset(0, frame::CANCEL),
            Some("/no-error") => Frame::reset(0, frame::NO_ERROR),
            Some("/away") => Frame::go_away(0, frame::PROTOCOL_ERROR),
            _ => Frame::data(0, "", frame::END_STREAM),
        };
        Reply::Frames([start, vec![end]].concat())
    })
    .await;
    let modegate = started(&authority, &origin.url(), ONE).await;
    for target in ["/reset", "/no-error", "/away", "/short"] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post(target, "x").bytes()).await;
        if let Some(answer) = client.try_response_to("POST").await {
            let cut = answer.status == 502 || answer.end == End::Cut;
            assert!(cut, "{target}: {} {:?} {}", answer.status, answer.end, answer.text());
        }
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answer = h2.exchange(&post(target), "x").await;
        let cut = answer.status == 502 || matches!(answer.ended, crate::harness::Ended::Reset(_));
        assert!(cut, "{target}: {answer:?}");
    }
    modegate.counted("modegate_inflight", &[], 0.0).await;
}

/// An answer that is looked into before it goes on is not taken for whole either.
#[tokio::test]
async fn an_answer_that_was_reset_is_not_looked_into() {
    let authority = Authority::new();
    let origin = origin(&authority, &[], |_| {
        let head = hpack::block(&[(":status", "200"), ("content-type", "application/json")]);
        let body = Frame::data(0, r#"{"text":"a whole document"}"#, 0);
        Reply::Frames(vec![Frame::headers(0, head, 0), body, Frame::reset(0, frame::NO_ERROR)])
    })
    .await;
    let flags = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n";
    let dir = std::sync::Arc::new(crate::harness::TempDir::new());
    dir.write("ca.pem", authority.pem());
    let leg = crate::harness::listener("bridge", &origin.url());
    let config = format!("{flags}[upstream]\nca_file = \"{{dir}}/ca.pem\"\n{leg}");
    let modegate = crate::harness::Start::within(&config, dir).run().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"text":"t"}}"#;
    let request = Request::post("/api/v1/milady/agents/a/bridge", call);
    let answer = Client::once(modegate.bridge(), request).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
}

/// A server that sends no more than its client's windows allow: much at `/large`.
async fn keeps_to_windows(authority: &Authority) -> String {
    let tls = authority.server_of("localhost", &["h2"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = tls.accept(stream).await else { continue };
            tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(
                TokioIo::new(stream),
                service_fn(|request: http::Request<Incoming>| async move {
                    let large = request.uri().path() == "/large";
                    let body = Bytes::from(vec![b'x'; if large { 32 << 20 } else { 5 }]);
                    Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(body)))
                }),
            ));
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn answers_that_nobody_takes_hold_up_no_other() {
    let authority = Authority::new();
    let url = keeps_to_windows(&authority).await;
    let modegate = started(&authority, &url, ONE).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::get("/large").bytes()).await;
        assert_eq!(client.head().await.expect("a head").part(1), "200");
        slow.push(client);
    }
    // What their sockets take is less than what the origin would send.
    for _ in 0..200 {
        let answer = Client::once(modegate.frontend(), Request::get("/small")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "xxxxx"));
    }
    modegate.counted("modegate_inflight", &[], slow.len() as f64).await;
    modegate.counted("modegate_upstream_connects_total", &[("result", "ok")], 1.0).await;
}

#[tokio::test]
async fn what_is_no_http2_is_an_upstream_that_is_not_there() {
    let authority = Authority::new();
    // It says that it speaks HTTP/2, and does not.
    let tls = authority.server_of("localhost", &["h2"]);
    let liar = Origin::start_tls(Some(tls), |_| Answer::ok("no")).await;
    let url = format!("https://localhost:{}", liar.address.tcp().port());
    let modegate = started(&authority, &url, "[timeouts]\nfirst_byte = \"1s\"\n").await;
    let answer = modegate.post("/api/chat", FAST).await;
    assert!(matches!(answer.status, 502 | 504), "{}", answer.text());
    assert!(liar.received().iter().all(|one| !one.head.line.contains("/api/chat")));
}

#[tokio::test]
async fn a_large_answer_and_a_large_upload_pass_through_it() {
    let authority = Authority::new();
    let origin = origin(&authority, &[], |_| Reply::Echo).await;
    let modegate = started(&authority, &origin.url(), ONE).await;
    // The origin sends without regard to windows: within what every client begins with.
    let large = "x".repeat(60_000);
    let mut client = Client::connect(modegate.frontend()).await;
    for _ in 0..3 {
        let answer = client.exchange(&Request::post("/upload", large.clone())).await;
        assert!(answer.status == 200 && answer.text() == large);
    }
    let larger = "y".repeat(3 << 20);
    let quiet = H2Origin::start(authority.server_of("localhost", &["h2"]), &[], |_| {
        Reply::whole("204", &[], "", &[])
    })
    .await;
    let modegate = started(&authority, &quiet.url(), ONE).await;
    let answer = Client::once(modegate.frontend(), Request::post("/upload", larger.clone())).await;
    assert_eq!(answer.status, 204);
    assert!(quiet.last().body == larger.as_bytes());
}
