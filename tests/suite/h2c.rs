//! HTTP/2 in clear: by prior knowledge, where the configuration asks for it, and nowhere else
//! (case 57).

use crate::harness::{
    Answered, Client, Ended, Frame, H2, Modegate, Origin, Request, clear, frame, get, hpack,
    listener, post,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;

fn assert_served(answered: &Answered) {
    assert_eq!((answered.status, answered.text().as_str()), (200, STRIPPED));
    assert_eq!(answered.ended, Ended::Clean);
}

async fn assert_h1_served(modegate: &Modegate) {
    assert_eq!(modegate.post("/api/chat", FAST).await.text(), STRIPPED);
}

#[tokio::test]
async fn a_port_without_it_takes_no_preface() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&listener("frontend", &origin.url())).await;
    let block = hpack::block(&get("/api/chat"));
    let request = Frame::headers(1, block, frame::END_STREAM).bytes();
    let bytes = [frame::PREFACE, &Frame::settings(&[]).bytes(), &request].concat();
    for first in [Vec::new(), Request::post("/api/chat", FAST).bytes()] {
        let mut client = Client::connect(modegate.frontend()).await;
        if !first.is_empty() {
            client.write(&first).await;
            assert_eq!(client.response().await.text(), STRIPPED);
        }
        let before = origin.requests();
        client.offer(&bytes, crate::harness::DEADLINE).await;
        let answer = client.try_response_to("PRI").await;
        assert!(answer.is_none_or(|answer| answer.status == 400));
        client.closed().await;
        assert_eq!(origin.requests(), before);
        assert_h1_served(&modegate).await;
    }
}

#[tokio::test]
async fn a_port_with_it_serves_both() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let mut client = Client::connect(modegate.frontend()).await;
    for _ in 0..3 {
        assert_served(&h2.exchange(&post("/api/chat"), FAST).await);
        let answer = client.exchange(&Request::post("/api/chat", FAST)).await;
        assert_eq!(answer.text(), STRIPPED);
    }
    assert_eq!(
        h2.settings.as_ref().and_then(|one| one.setting(frame::MAX_CONCURRENT_STREAMS)),
        Some(100)
    );
}

#[tokio::test]
async fn the_preface_may_come_in_pieces() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let rest = [
        Frame::settings(&[]),
        Frame::headers(1, hpack::block(&post("/api/chat")), 0),
        Frame::data(1, FAST, frame::END_STREAM),
    ];
    let rest: Vec<u8> = rest.iter().flat_map(Frame::bytes).collect();
    let all = [frame::PREFACE, &rest].concat();
    for at in [0, 1, 3, 14, 18, 23, 24, 25, 40] {
        let mut h2 = H2::bare(modegate.frontend()).await;
        h2.write(&all[..at]).await;
        // The pieces must not meet in one read.
        modegate.metrics().await;
        h2.write(&all[at..]).await;
        assert_served(&h2.answer(1).await);
    }
    let mut h2 = H2::bare(modegate.frontend()).await;
    for byte in &all {
        h2.write([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_served(&h2.answer(1).await);
}

#[tokio::test]
async fn what_only_begins_like_the_preface_is_a_bad_request() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "[timeouts]\nheader = \"400ms\"\n").await;
    let cases = [
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
        "PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PRIX * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for case in cases {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(case).await;
        let answer = client.try_response_to("PRI").await;
        assert!(answer.is_none_or(|answer| (400..=505).contains(&answer.status)), "{case:?}");
    }
    // The start of it, and then nothing; the whole of it, and then nothing; and then half a frame.
    let half = [frame::PREFACE, &[0, 0]].concat();
    for bytes in [&frame::PREFACE[..0], &frame::PREFACE[..5], frame::PREFACE, &half] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(bytes).await;
        client.closed().await;
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(bytes).await;
        client.finish().await;
        client.closed().await;
    }
    // After an HTTP/1.1 request it is one of HTTP/1.1's.
    let mut client = Client::connect(modegate.frontend()).await;
    client.write([&Request::post("/api/chat", FAST).bytes()[..], frame::PREFACE].concat()).await;
    assert_eq!(client.response().await.text(), STRIPPED);
    assert!(client.try_response_to("PRI").await.is_none_or(|answer| answer.status == 400));
    assert!(origin.received().iter().all(|one| one.method() == "POST"));
    modegate.counted("modegate_connections", &[], 0.0).await;
    assert_served(&H2::connect(modegate.frontend()).await.exchange(&post("/api/chat"), FAST).await);
}

#[tokio::test]
async fn an_upgrade_to_it_is_never_passed_on() {
    let origin = Origin::echo().await;
    let plain = Modegate::start(&listener("frontend", &origin.url())).await;
    for modegate in [plain, clear(&origin.url(), "").await] {
        for target in ["/api/chat", "/other"] {
            for connection in ["Upgrade, HTTP2-Settings", "HTTP2-Settings", "Upgrade"] {
                let request = Request::post(target, FAST)
                    .header("Connection", connection)
                    .header("Upgrade", "h2c")
                    .header("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA");
                let answer = Client::once(modegate.frontend(), request).await;
                assert_eq!(answer.status, 200, "{target} {connection}");
                let received = origin.last();
                for name in ["upgrade", "connection", "http2-settings"] {
                    assert_eq!(received.header(name), None, "{target} {connection}");
                }
            }
        }
    }
}
