//! What streams: event streams piece by piece, uploads under backpressure, trailers, and answers
//! without a body.

use std::time::Duration;

use crate::harness::{
    Answer, Client, End, Framing, Modegate, Origin, Piece, Request, Step, eventually, settings,
};
use crate::messages::{PLACES, Wants};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
     Cache-Control: no-cache, no-transform\r\nConnection: keep-alive\r\nX-Accel-Buffering: no\r\n";

/// The frames of every style that the servers behind write, as they write them.
const STYLES: &[(&str, &[&str])] = &[
    (
        "A",
        &[
            "data: {\"type\":\"token\",\"text\":\"h\u{e9} \"}\n\n",
            ": heartbeat\n\n",
            "data: {\"type\":\"token\",\"text\":\"\u{1f600}\",\"processing\":{\"mode\":\"fast\"}}\n\n",
            "data: {\"type\":\"done\",\"fullText\":\"x\",\"agentName\":\"A\"}\n\n",
        ],
    ),
    ("A, legacy", &["data: {\"text\":\"a\"}\n\n", "event: done\ndata: {}\n\n"]),
    (
        "B",
        &[
            "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n",
            "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n",
            "data: [DONE]\n\n",
        ],
    ),
    (
        "C",
        &[
            "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
            "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
    ),
    (
        "runtime",
        &[
            "event: connected\ndata: {\"rpcId\":\"rpc-7\",\"timestamp\":1}\n\n",
            "event: chunk\ndata: {\"text\":\"[echo] hi\"}\n\n",
            "event: done\ndata: {\"rpcId\":\"rpc-7\",\"timestamp\":2}\n\n",
        ],
    ),
    (
        "odd",
        &["data:a\r\ndata:b\r\n\r\n", "data: half a ", "frame\n", "\n", "\u{0}", "not an event"],
    ),
];

#[tokio::test]
async fn event_streams_pass_frame_by_frame_with_their_head_first() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    for place in PLACES.iter().filter(|place| place.wants == Wants::Stream) {
        for (style, frames) in STYLES {
            let case = format!("{style} from {}", place.target);
            let mut client = Client::connect(place.address(&modegate)).await;
            client.write(place.request(place.body("")).bytes()).await;
            let answer = scripts.next().await;
            answer.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n"));
            let head = client.head().await.expect("the head, before any event");
            assert_eq!(head.part(1), "200", "{case}");
            assert_eq!(head.field("content-type"), Some("text/event-stream"), "{case}");
            assert_eq!(head.field("cache-control"), Some("no-cache, no-transform"), "{case}");
            assert_eq!(head.field("x-accel-buffering"), Some("no"), "{case}");
            assert_eq!(head.field("x-processing-mode"), Some("default"), "{case}");
            let mut framing = head.framing(Framing::None);
            for frame in *frames {
                answer.chunk(frame);
                assert_eq!(client.data(&mut framing).await, *frame, "{case}");
            }
            answer.send("0\r\n\r\n");
            assert_eq!(client.piece(&mut framing).await, Piece::End(End::Clean, vec![]), "{case}");
            answer.step(Step::Next);
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_its_connection_ends_cleanly() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut client = Client::connect(modegate.runtime()).await;
    client.write(Request::post("/bridge/stream", r#"{"method":"message.send"}"#).bytes()).await;
    let answer = scripts.next().await;
    answer.send(format!("{HEAD}\r\n"));
    let head = client.head().await.expect("a head");
    let mut framing = head.framing(Framing::UntilClose);
    for frame in ["data: 1\n\n", "data: 2\n\n"] {
        answer.send(frame);
        assert_eq!(client.data(&mut framing).await, frame);
    }
    answer.step(Step::Close);
    assert!(matches!(client.piece(&mut framing).await, Piece::End(End::Clean | End::Closed, _)));
}

#[tokio::test]
async fn an_upload_arrives_while_it_is_sent() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    let head = "POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write(head).await;
    origin.wait_for(1).await;
    let mut sent = String::new();
    for piece in ["one", "{\"processing\"", ":", "three"] {
        client.write(format!("{:x}\r\n{piece}\r\n", piece.len())).await;
        sent.push_str(piece);
        eventually("the piece at the origin", async || {
            (origin.received()[0].text() == sent).then_some(())
        })
        .await;
        assert_eq!(origin.received()[0].end, None);
    }
    client.write("0\r\n\r\n").await;
    assert_eq!(client.response().await.text(), sent);
}

#[tokio::test]
async fn an_upload_that_nobody_reads_stalls_and_is_not_held() {
    let origin = Origin::start(|_| Answer::Deaf).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let before = modegate.memory();
    let piece = vec![b'x'; 1 << 20];
    for framing in ["Content-Length: 1073741824", "Transfer-Encoding: chunked"] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(format!("POST /upload HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n")).await;
        let bytes = match framing.starts_with('T') {
            true => [b"100000\r\n".as_slice(), &piece, b"\r\n"].concat(),
            false => piece.clone(),
        };
        let mut taken = 0;
        while client.offer(&bytes, Duration::from_millis(400)).await {
            taken += 1;
            assert!(taken < 128, "128 MiB went where nobody reads");
        }
        let grown = modegate.memory().saturating_sub(before);
        assert!(grown < 48 * 1024, "{grown} KiB more in memory after {taken} MiB");
        let line = modegate.metrics().await.sum("modegate_body_memory_bytes", &[]);
        assert!(line < 1.0, "{line} bytes held");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_held() {
    let length = 128 << 20;
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    let bytes = [bytes, vec![b'y'; length]].concat();
    let origin = Origin::start(move |request| match request.target() {
        "/large" => Answer::Bytes(bytes.clone()),
        _ => Answer::Echo,
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let before = modegate.memory();
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::get("/large").bytes()).await;
    let head = client.head().await.expect("a head");
    // Meanwhile others are served.
    for _ in 0..50 {
        let other = Request::post("/other", vec![b'z'; 1 << 20]);
        assert_eq!(Client::once(modegate.frontend(), other).await.body.len(), 1 << 20);
    }
    let grown = modegate.memory().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more in memory");
    let mut framing = head.framing(Framing::None);
    let mut read = 0;
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

#[tokio::test]
async fn trailers_of_answers_pass_but_for_tags() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Sum, X-Processing-Mode, X_Processing_Room\r\n\r\n\
         2\r\n{}\r\n0\r\nX-Sum: 7\r\nX-Processing-Mode: fast\r\nX_Processing_Room: r\r\n\r\n";
    let origin = Origin::start(move |_| Answer::Bytes(answer.as_bytes().to_vec())).await;
    let modegate = Modegate::start(&settings(&origin, "[server]\nthreads = 1\n")).await;
    for target in ["/api/chat", "/other"] {
        let request = Request::post(target, "{}").header("TE", "trailers");
        let response = Client::once(modegate.frontend(), request).await;
        assert_eq!((response.text().as_str(), response.end), ("{}", End::Clean), "{target}");
        let named = response.trailers.iter().map(|(name, value)| (&**name, &**value));
        assert_eq!(named.collect::<Vec<_>>(), [("x-sum", "7")], "{target}");
    }
    modegate.counted("modegate_requests_total", &[("outcome", "ok")], 2.0).await;
    assert_eq!(origin.accepted(), 1, "trailers are an end like any other");
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_good() {
    let origin = Origin::start(|request| {
        let answer = match (request.method(), request.target()) {
            ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"e\"\r\n\r\n",
            (_, "/none") => "HTTP/1.1 204 No Content\r\nETag: \"e\"\r\n\r\n",
            (_, "/same") => {
                "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 99\r\n\r\n"
            }
            (_, "/reset") => {
                "HTTP/1.1 205 Reset Content\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n"
            }
            _ => "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 2\r\n\r\n{}",
        };
        Answer::Bytes(answer.as_bytes().to_vec())
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "[server]\nthreads = 1\n")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    let cases = [
        ("HEAD", "/api/chat", 200, Some("12345"), ""),
        ("GET", "/none", 204, None, ""),
        ("POST", "/none", 204, None, ""),
        ("GET", "/same", 304, Some("99"), ""),
        ("GET", "/reset", 205, Some("0"), ""),
        ("HEAD", "/none", 200, Some("12345"), ""),
        ("GET", "/some", 200, Some("2"), "{}"),
    ];
    for _ in 0..3 {
        for (method, target, status, length, body) in cases {
            let request = Request::new(method, target);
            let response = client.exchange(&request).await;
            let case = format!("{method} {target}");
            assert_eq!((response.status, response.text().as_str()), (status, body), "{case}");
            assert_eq!(response.header("etag"), Some("\"e\""), "{case}");
            // A 304 may leave its length out: RFC 9110, section 15.4.5.
            assert!(status == 304 || response.header("content-length") == length, "{case}");
            assert_eq!(response.header("transfer-encoding"), None, "{case}");
        }
    }
    assert_eq!(origin.accepted(), 1, "their connection is pooled too");
    let outcomes = [("outcome", "ok")];
    modegate.counted("modegate_requests_total", &outcomes, 21.0).await;
}
