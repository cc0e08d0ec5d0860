//! Clients that take their time: deadlines hold for what they are about and for nothing else.

use crate::harness::{
    Answer, Client, End, Framing, Modegate, Origin, Piece, Request, Step, eventually, settings,
};

/// Returns when `timeouts.keep_alive` has passed: another connection was closed for it.
async fn outlast_keep_alive(modegate: &Modegate) {
    let mut idle = Client::connect(modegate.frontend()).await;
    assert_eq!(idle.exchange(&Request::post("/api/chat", "{")).await.status, 400);
    idle.closed().await;
}

/// Returns when `timeouts.header` has passed: another connection was closed for it.
async fn outlast_header(modegate: &Modegate) {
    let mut slow = Client::connect(modegate.frontend()).await;
    slow.write("GET ").await;
    slow.closed().await;
}

/// An origin with an answer that no socket's buffers hold.
async fn large_origin(length: usize) -> Origin {
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    let bytes = [bytes, vec![b'y'; length]].concat();
    Origin::start(move |request| match request.target() {
        "/large" => Answer::Bytes(bytes.clone()),
        _ => Answer::Echo,
    })
    .await
}

#[tokio::test]
async fn one_that_reads_slowly_gets_all_of_its_answer() {
    // The last part waits in the process's own buffers: sizes about a connection's.
    for length in [400_000, 3_735_000, 16 << 20] {
        let origin = large_origin(length).await;
        let extra = "[timeouts]\nkeep_alive = \"50ms\"\nheader = \"400ms\"\n";
        let modegate = Modegate::start(&settings(&origin, extra)).await;
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::get("/large").bytes()).await;
        let head = client.head().await.expect("a head");
        let mut framing = head.framing(Framing::None);
        let mut read = 0;
        outlast_header(&modegate).await;
        for _ in 0..5 {
            outlast_keep_alive(&modegate).await;
            if let Piece::Data(data) = client.piece(&mut framing).await {
                read += data.len();
            }
        }
        loop {
            match client.piece(&mut framing).await {
                Piece::Data(data) => read += data.len(),
                Piece::End(end, _) => {
                    assert_eq!((end, read), (End::Clean, length));
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn one_that_reads_nothing_is_given_up() {
    let origin = large_origin(64 << 20).await;
    let modegate = Modegate::start(&settings(&origin, "[timeouts]\nidle = \"150ms\"\n")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::get("/large").bytes()).await;
    assert!(client.head().await.is_some());
    let line = modegate.access(1).await.remove(0);
    assert_eq!(line["outcome"], "gone", "{line}");
    eventually("the upstream's connection's end", async || (origin.open() == 0).then_some(()))
        .await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
}

#[tokio::test]
async fn one_that_asks_no_more_is_closed_whatever_it_asked_before() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nkeep_alive = \"50ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let requests = [
        Request::get("/plain"),
        Request::post("/api/chat", "{}"),
        Request::post("/upload", vec![b'u'; 100_000]),
        Request::post("/upload", vec![b'u'; 100_000]).chunked(1000),
    ];
    // Whether hyper looks at the connection again after an answer's end is a race: both ways occur.
    for round in 0..10 {
        for request in &requests {
            let mut client = Client::connect(modegate.frontend()).await;
            assert_eq!(client.exchange(request).await.status, 200, "round {round}");
            client.closed().await;
        }
    }
    modegate.counted("modegate_connections", &[], 0.0).await;
}

#[tokio::test]
async fn a_head_that_began_early_has_its_own_time() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let extra = "[timeouts]\nheader = \"400ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    for begun in ["GE", "\r\n", "GET /next HTTP/1.1\r\nHost"] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write([Request::post("/first", "{}").bytes(), begun.into()].concat()).await;
        let answer = scripts.next().await;
        outlast_header(&modegate).await;
        outlast_header(&modegate).await;
        answer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        answer.step(Step::Next);
        assert_eq!(client.response().await.status, 200, "{begun:?}");
        let rest = match begun {
            "GE" => "T /next HTTP/1.1\r\nHost: h\r\n\r\n",
            "\r\n" => "GET /next HTTP/1.1\r\nHost: h\r\n\r\n",
            _ => ": h\r\n\r\n",
        };
        client.write(rest).await;
        let answer = scripts.next().await;
        answer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
        answer.step(Step::Next);
        assert_eq!(client.response().await.text(), "next", "{begun:?}");
    }
}

#[tokio::test]
async fn an_upload_may_go_on_after_its_answer() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let origin = Origin::start(move |request| match request.target() {
        "/upload" => Answer::Early(answer.clone()),
        _ => Answer::Echo,
    })
    .await;
    let extra = "[timeouts]\nheader = \"400ms\"\nkeep_alive = \"100ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n").await;
    client.write("0123").await;
    assert_eq!(client.response().await.text(), "ok");
    for piece in ["4567", "89ab"] {
        outlast_header(&modegate).await;
        outlast_keep_alive(&modegate).await;
        client.write(piece).await;
    }
    eventually("the whole upload", async || {
        let received = origin.received();
        (received.first()?.text() == "0123456789ab").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_is_one_message() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    let body = r#"{"text":"h\u00e9","processing":{"mode":"fast"}}"#;
    let mut client = Client::connect(modegate.frontend()).await;
    for request in [Request::post("/api/chat", body), Request::post("/api/chat", body).chunked(3)] {
        for byte in request.bytes() {
            client.write([byte]).await;
        }
        let replaced = r#"{"text":"h\u00e9","processing":{"mode":"default"}}"#;
        assert_eq!(client.response().await.text(), replaced);
    }
}
