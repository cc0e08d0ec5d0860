//! Streams byte by byte, upstreams that die at every byte of their answer, and clients that leave
//! (cases 77 to 79).

use crate::harness::{
    Answer, Client, End, Framing, Modegate, Origin, Piece, Request, Step, eventually, settings,
};
use crate::messages::{PLACES, Wants};

/// What event streams may hold, whole or in halves.
#[rustfmt::skip]
const STREAMS: &[(&str, &[u8])] = &[
    ("line ends", b"data: a\rdata: b\r\ndata: c\n\r\n\r\r\n\n\r"),
    ("a mark", b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n"),
    ("comments", b":\n\n: heartbeat\r\n\r\n::\ndata\ndata:\n\n"),
    ("NUL", b"id: 1\x00\ndata: \x00\n\n\x00"),
    ("invalid UTF-8", b"data: \xff\xc3\x28\xe2\x82 \xf0\x9f\x98\n\n"),
    ("a character in pieces", "data: 😀日本é\n\nid: é\n\n".as_bytes()),
    ("fields", b"retry: 1\nretry: -1\nevent: x\nevent\nid\nid:\nunknown: y\n data: z\ndata : z\n\n"),
    ("the member", b"data: {\"processing\":{\"mode\":\"fast\"},\"proces\\u0073ing\":1}\n\n"),
    ("what looks like chunks", b"0\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("what looks like a head", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("no end", b"data: half an eve"),
];

/// How the origin delimits a stream, and how it writes a piece and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Length,
    Close,
}

/// Case 77: each byte arrives before the next one is sent, whatever it is.
#[tokio::test]
async fn every_byte_of_a_stream_is_passed_on_before_the_next() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    let places: Vec<_> = PLACES.iter().filter(|place| place.wants == Wants::Stream).collect();
    for (at, (name, bytes)) in STREAMS.iter().enumerate() {
        for coding in [Coding::Chunked, Coding::Length, Coding::Close] {
            let place = places[at % places.len()];
            let case = format!("case 77: {name}, {coding:?}");
            let mut client = Client::connect(place.address(&modegate)).await;
            let request = place.request(place.body("")).header("Accept-Encoding", "gzip, br");
            client.write(request.bytes()).await;
            let answer = scripts.next().await;
            let fields = match coding {
                Coding::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
                Coding::Length => format!("Content-Length: {}\r\n", bytes.len()),
                Coding::Close => String::new(),
            };
            answer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{fields}\r\n"
            ));
            let head = client.head().await.expect("the head before any byte");
            assert_eq!(head.field("content-encoding"), None, "{case}");
            let mut framing = head.framing(Framing::UntilClose);
            for byte in bytes.iter() {
                match coding {
                    Coding::Chunked => answer.chunk([*byte]),
                    Coding::Length | Coding::Close => answer.send([*byte]),
                }
                assert_eq!(client.piece(&mut framing).await, Piece::Data(vec![*byte]), "{case}");
            }
            match coding {
                Coding::Chunked => answer.send("0\r\n\r\n"),
                Coding::Length => {}
                Coding::Close => answer.step(Step::Close),
            }
            let end = client.piece(&mut framing).await;
            assert!(matches!(end, Piece::End(End::Clean | End::Closed, _)), "{case}: {end:?}");
            if coding != Coding::Close {
                answer.step(Step::Next);
            }
        }
    }
}

const WHOLE: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"text\":\"hi\"}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
     9\r\ndata: 1\n\n\r\nb\r\n: comment\n\n\r\n0\r\nX-Sum: 7\r\n\r\n",
    "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
];

/// Case 78: an upstream dies after each byte of its answer, by a close and by a reset. Before its
/// head is whole that is a 502; after it the client sees a cut, and an end only where there was one.
#[tokio::test]
async fn an_upstream_that_dies_at_any_byte_is_never_a_clean_end() {
    let origin = Origin::start(|request| {
        let asked = request.target().rsplit_once('?').map_or("", |(_, asked)| asked);
        let mut asked = asked.split('-');
        let mut next = || asked.next().and_then(|part| part.parse::<usize>().ok());
        let (Some(which), Some(cut), Some(reset)) = (next(), next(), next()) else {
            return Answer::ok("{}");
        };
        let bytes = WHOLE[which].as_bytes()[..cut].to_vec();
        if reset == 1 { Answer::ThenReset(bytes) } else { Answer::ThenClose(bytes) }
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (which, whole) in WHOLE.iter().enumerate() {
        let head = whole.find("\r\n\r\n").expect("a head") + 4;
        for cut in 0..=whole.len() {
            for reset in [0, 1] {
                let route = if cut % 2 == 0 { "/api/chat" } else { "/other" };
                let target = format!("{route}?{which}-{cut}-{reset}");
                let case = format!("case 78: {cut} of {whole:?}, reset {reset}");
                let mut client = Client::connect(modegate.frontend()).await;
                let response = client.exchange(&Request::post(&target, "{}")).await;
                let ended = response.end == End::Clean;
                match response.status {
                    // A reset may overtake what was sent before it.
                    502 => assert!(ended && (cut < head || reset == 1), "{case}"),
                    status => {
                        assert!(
                            cut >= head && whole[9..].starts_with(&status.to_string()),
                            "{case}"
                        );
                        assert!(!ended || cut == whole.len(), "{case}: {}", response.text());
                        assert!(ended || cut < whole.len() || reset == 1, "{case}");
                    }
                }
                if !ended {
                    client.closed().await;
                }
            }
        }
        let clean = modegate.post("/api/chat", "{}").await;
        assert_eq!((clean.status, clean.end), (200, End::Clean));
    }
    let asked: usize = WHOLE.iter().map(|whole| 2 * (whole.len() + 1) + 1).sum();
    assert_eq!(origin.requests(), asked, "case 78: each was asked once");
}

/// Case 78: an answer that only its connection's end delimits is cut by a reset.
#[tokio::test]
async fn a_reset_is_no_end_of_an_answer_without_a_length() {
    for head in
        ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"]
    {
        let (origin, mut scripts) = Origin::stepwise().await;
        let modegate = Modegate::start(&settings(&origin, "")).await;
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/api/chat", "{}").bytes()).await;
        let answer = scripts.next().await;
        answer.send(format!("{head}some"));
        let head = client.head().await.expect("a head");
        let mut framing = head.framing(Framing::UntilClose);
        assert_eq!(client.data(&mut framing).await, "some");
        answer.step(Step::Reset);
        let end = client.piece(&mut framing).await;
        assert!(matches!(end, Piece::End(End::Cut, _)), "case 78: {end:?}");
    }
}

/// Case 79: whenever a client leaves, by a close or a reset, its upstream request ends with it, and
/// the connection serves nobody else.
#[tokio::test]
async fn a_client_that_leaves_at_any_moment_ends_its_upstream_request() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "[server]\nthreads = 1\n")).await;
    let begun =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sent = [
        String::new(),
        begun.to_owned(),
        format!("{begun}9\r\ndata: 1\n\n\r\n"),
        format!("{begun}9\r\ndata:"),
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome".to_owned(),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n{}", "x".repeat(8 << 20)),
    ];
    for target in ["/api/chat/stream", "/events"] {
        for (number, bytes) in sent.iter().enumerate() {
            for reset in [false, true] {
                let mut client = Client::connect(modegate.frontend()).await;
                client.write(Request::post(target, "{}").bytes()).await;
                let steps = scripts.next().await;
                if !bytes.is_empty() {
                    steps.send(bytes);
                    assert!(client.head().await.is_some());
                }
                match reset {
                    true => client.reset(),
                    false => drop(client),
                }
                let case =
                    format!("the upstream's connection's end, case 79: {number}, reset {reset}");
                eventually(&case, async || (origin.open() == 0).then_some(())).await;
                modegate.counted("modegate_inflight", &[], 0.0).await;
            }
        }
    }
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::post("/api/chat", "{}").bytes()).await;
    scripts.next().await.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(client.response().await.text(), "{}");
}
