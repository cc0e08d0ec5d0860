//! Case 61: answers whose end could be read in two ways: nothing of one reaches the next client.

use crate::harness::{Answer, Client, End, Modegate, Origin, Request, script, settings};

const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
const CLEAN: &str = "clean";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// An origin with one bad answer, behind a process with one thread, so that a connection would be
/// used again.
async fn behind(answer: &str) -> (Origin, Modegate) {
    let bytes = answer.as_bytes().to_vec();
    let origin = Origin::start(move |request| match request.target() {
        "/bad" => Answer::Bytes(bytes.clone()),
        _ => Answer::ok(CLEAN),
    })
    .await;
    let extra = "[server]\nthreads = 1\n[timeouts]\nfirst_byte = \"500ms\"\nidle = \"500ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    (origin, modegate)
}

#[tokio::test]
async fn case_61_what_stands_behind_an_answer_reaches_nobody() {
    let answers = [
        ("GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}{POISON}")),
        ("GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{POISON}{POISON}")),
        ("GET", format!("{CHUNKED}0\r\n\r\n{POISON}")),
        ("GET", format!("{CHUNKED}2\r\n{{}}\r\n0\r\n\r\n{POISON}")),
        ("GET", format!("HTTP/1.1 204 No Content\r\nContent-Length: 71\r\n\r\n{POISON}")),
        ("GET", format!("HTTP/1.1 204 No Content\r\n\r\n{POISON}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n{POISON}")),
        ("HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n{POISON}")),
        ("HEAD", format!("{CHUNKED}{POISON}")),
        ("POST", format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n{POISON}")),
        ("POST", format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n{POISON}")),
    ];
    for (method, answer) in answers {
        let (_origin, modegate) = behind(&answer).await;
        for leg in ["frontend", "bridge"] {
            let mut client = Client::connect(modegate.leg(leg, 0)).await;
            for _ in 0..3 {
                let bad = client.exchange(&Request::new(method, "/bad")).await;
                assert!(!bad.text().contains("poison"), "{answer:?}");
                assert!(bad.status != 204 || bad.header("content-length").is_none());
                for target in ["/next", "/next/but/one"] {
                    let next = Client::once(modegate.leg(leg, 0), Request::get(target)).await;
                    assert_eq!((next.status, &*next.text()), (200, CLEAN), "{answer:?}");
                }
                let same = client.exchange(&Request::get("/same")).await;
                assert_eq!((same.status, &*same.text()), (200, CLEAN), "{answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn case_61_an_answer_of_two_lengths_is_none() {
    let heads = [
        "Content-Length: 2\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 2, 5\r\n\r\nhello",
        "Content-Length: 5, 5\r\n\r\nhello",
        "Content-Length: -5\r\n\r\nhello",
        "Content-Length: +5\r\n\r\nhello",
        "Content-Length: 5x\r\n\r\nhello",
        "Content-Length: 99999999999999999999\r\n\r\nhello",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Connection: transfer-encoding\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
        "Connection: content-length\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\nhello",
    ];
    for head in heads {
        let (origin, modegate) = behind(&format!("HTTP/1.1 200 OK\r\n{head}{POISON}")).await;
        for method in ["GET", "HEAD"] {
            for _ in 0..3 {
                let mut client = Client::connect(modegate.frontend()).await;
                let bad = client.exchange(&Request::new(method, "/bad")).await;
                assert_eq!(bad.status, 502, "{method} {head:?}");
                let next = Client::once(modegate.frontend(), Request::get("/next")).await;
                assert_eq!((next.status, &*next.text()), (200, CLEAN), "{head:?}");
            }
        }
        assert_eq!(origin.requests(), 12, "{head:?}: none is sent twice");
    }
}

#[tokio::test]
async fn case_61_chunks_of_an_answer_that_are_none_are_a_cut() {
    let chunks =
        ["5\r\nhello0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\nx", "-1\r\nhello\r\n"];
    for rest in chunks {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}{POISON}");
        let (_origin, modegate) = behind(&answer).await;
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::get("/bad").bytes()).await;
        // Where it is cut at once, not even its head arrives.
        if let Some(bad) = client.try_response_to("GET").await {
            assert!(bad.status == 502 || bad.end == End::Cut, "{rest:?}: {bad:?}");
            assert!(!bad.text().contains("poison"), "{rest:?}");
        }
        let next = Client::once(modegate.frontend(), Request::get("/next")).await;
        assert_eq!((next.status, &*next.text()), (200, CLEAN), "{rest:?}");
    }
}

#[tokio::test]
async fn case_61_a_flood_of_interim_answers_ends() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let (steps, answer) = script();
    let bad = std::sync::Mutex::new(Some(answer));
    let origin = Origin::start(move |request| match request.target() {
        "/bad" => bad.lock().expect("no panic").take().expect("one request"),
        _ => Answer::ok(CLEAN),
    })
    .await;
    let extra = "[server]\nthreads = 1\n[timeouts]\nfirst_byte = \"300ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::get("/bad").bytes()).await;
    origin.wait_for(1).await;
    for _ in 0..200 {
        steps.send(interim.repeat(200));
    }
    let response = client.response().await;
    assert!([502, 504].contains(&response.status), "{response:?}");
    let next = Client::once(modegate.frontend(), Request::get("/next")).await;
    assert_eq!((next.status, &*next.text()), (200, CLEAN));
    modegate.counted("modegate_inflight", &[], 0.0).await;
}
