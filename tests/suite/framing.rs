//! Request framing that two readers could read in two ways: it is refused, or leaves in one.

use crate::harness::{Client, End, Modegate, Origin, Request, settings};

/// What follows in the stream as the attacker's own request; nobody may ever get to see it.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends a head and what follows it, and gives the status of the first answer, 400 where the
/// connection just ends.
async fn attack(modegate: &Modegate, head: &str, rest: &str) -> u16 {
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(format!("{head}\r\n\r\n{rest}")).await;
    let answer = client.try_response_to("POST").await;
    answer.map_or(400, |response| response.status)
}

/// After an attack the origin has at most the one request, framed one way.
fn assert_one_reading(origin: &Origin, case: &str, body: &str) {
    for received in origin.received() {
        assert_ne!(received.target(), "/smuggled", "{case:?}");
        let length = received.head.all("content-length");
        let coded = received.head.all("transfer-encoding");
        assert!(length.len() + coded.len() <= 1, "{case:?}: {:?}", received.head);
        if received.end == Some(End::Clean) {
            assert_eq!(received.text(), body, "{case:?}");
        }
    }
}

async fn assert_alive(modegate: &Modegate, case: &str) {
    let response = Client::once(modegate.frontend(), Request::post("/api/chat", "{}")).await;
    assert_eq!((response.status, response.text().as_str()), (200, "{}"), "{case:?}");
}

#[tokio::test]
async fn a_length_and_chunks_together() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for target in ["/api/chat", "/upload"] {
        let lengths = [
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 2",
            "Content-Length: 60\r\nTransfer-Encoding: chunked",
        ];
        for fields in lengths {
            origin.forget();
            let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\n{fields}");
            let status = attack(&modegate, &head, "7\r\n{\"a\":1}\r\n0\r\n\r\n").await;
            assert!(status == 400 || status == 200, "{head:?}: {status}");
            assert_one_reading(&origin, &head, "{\"a\":1}");
            if status == 200 {
                assert_eq!(origin.last().text(), "{\"a\":1}", "{head:?}");
            }
            assert_alive(&modegate, &head).await;
        }
    }
}

#[tokio::test]
async fn lengths_that_node_refuses() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let lengths = [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: -2",
        "Content-Length: 2a",
        "Content-Length: 99999999999999999999",
        "Content-Length: ",
        "Content-Length : 2",
    ];
    for target in ["/api/chat", "/upload"] {
        for fields in lengths {
            origin.forget();
            let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\n{fields}");
            let status = attack(&modegate, &head, &format!("{{}}{SMUGGLED}")).await;
            assert_eq!(status, 400, "{head:?}");
            assert!(origin.received().is_empty(), "{head:?}");
            assert_alive(&modegate, &head).await;
        }
    }
}

#[tokio::test]
async fn codings_that_are_not_plainly_chunked() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let codings = [
        "identity",
        "gzip",
        "chunked, identity",
        "xchunked",
        "\"chunked\"",
        "chunked;a=b",
        "\u{b}chunked",
        "",
        "chunked\r\nTransfer-Encoding: identity",
    ];
    for target in ["/api/chat", "/upload"] {
        for coding in codings {
            origin.forget();
            let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {coding}");
            let status =
                attack(&modegate, &head, &format!("2\r\n{{}}\r\n0\r\n\r\n{SMUGGLED}")).await;
            assert!((400..=501).contains(&status), "{head:?}: {status}");
            assert!(origin.received().is_empty(), "{head:?}");
            assert_alive(&modegate, &head).await;
        }
        for coding in ["CHUNKED", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
            origin.forget();
            let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {coding}");
            attack(&modegate, &head, "2\r\n{}\r\n0\r\n\r\n").await;
            assert_one_reading(&origin, &head, "{}");
            assert_alive(&modegate, &head).await;
        }
    }
}

#[tokio::test]
async fn heads_that_node_refuses() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let heads = [
        " POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 2",
        "POST /upload HTTP/1.1\r\n Host: h\r\nContent-Length: 2",
        "POST /upload HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n folded\r\nContent-Length: 2",
        "POST /upload HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\nContent-Length: 2",
        "POST /upload HTTP/1.1\r\nHost: h\r\nX-A: a\rb\r\nContent-Length: 2",
        "POST /upload HTTP/1.1\r\nHost: h\r\nX A: 1\r\nContent-Length: 2",
        "POST /upload HTTP/1.1\r\nHost: h\r\nX-A\r\nContent-Length: 2",
        "POST /upload HTTP/1.2\r\nHost: h\r\nContent-Length: 2",
        "POST /upload HTTP/2.0\r\nHost: h\r\nContent-Length: 2",
        "POST /upload\r\nHost: h\r\nContent-Length: 2",
        "PRI * HTTP/2.0",
    ];
    for head in heads {
        origin.forget();
        let status = attack(&modegate, head, &format!("{{}}{SMUGGLED}")).await;
        assert!((400..=505).contains(&status), "{head:?}: {status}");
        assert!(origin.received().is_empty(), "{head:?}");
        assert_alive(&modegate, head).await;
    }
}

#[tokio::test]
async fn chunks_that_node_refuses() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let chunks = [
        "0x2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "g\r\n{}\r\n0\r\n\r\n",
    ];
    for target in ["/api/chat", "/upload"] {
        for chunk in chunks {
            origin.forget();
            let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked");
            let status = attack(&modegate, &head, &format!("{chunk}{SMUGGLED}")).await;
            assert!((400..=502).contains(&status), "{chunk:?}: {status}");
            let received = origin.received();
            assert!(received.iter().all(|one| one.end != Some(End::Clean)), "{chunk:?}");
            assert_one_reading(&origin, chunk, "");
            assert_alive(&modegate, chunk).await;
        }
    }
}

#[tokio::test]
async fn chunk_extensions_and_extra_trailers_do_not_travel() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let head = "POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked";
    let rest = "2;a=\"b\";c\r\n{}\r\n0;x\r\nContent-Length: 5\r\nHost: evil\r\n\
         Transfer-Encoding: chunked\r\n\r\n";
    let status = attack(&modegate, head, rest).await;
    if status == 200 {
        let received = origin.last();
        assert_eq!((received.text().as_str(), received.end), ("{}", Some(End::Clean)));
        assert!(received.trailers.is_empty(), "{:?}", received.trailers);
    }
    assert_alive(&modegate, head).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_each_judged_alone() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    let mut bytes = Vec::new();
    for number in 0..100 {
        let member = if number % 2 == 0 { r#","processing":{"mode":"fast"}"# } else { "" };
        let body = match number % 10 {
            9 => "{bad".to_owned(),
            _ => format!(r#"{{"number":{number}{member}}}"#),
        };
        let mut request = Request::post("/api/chat", body);
        if number % 3 == 0 {
            request = request.chunked(5);
        }
        bytes.extend(request.bytes());
    }
    client.write(bytes).await;
    for number in 0..100 {
        let response = client.response().await;
        let expected = match number % 10 {
            9 => (400, r#"{"error":"Invalid JSON in request body"}"#.to_owned()),
            _ => (200, format!(r#"{{"number":{number}}}"#)),
        };
        assert_eq!((response.status, response.text()), expected);
    }
    assert_eq!(origin.requests(), 90);
}
