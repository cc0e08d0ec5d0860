//! Clients that send as slowly as they may: every head and body has a deadline in all, not only
//! between two of its bytes (case 87).

use std::time::Duration;

use crate::harness::{
    Answer, Client, End, Modegate, Origin, Received, Request, Step, eventually, settings, share,
};

/// Between two bytes.
const DRIP: Duration = Duration::from_millis(5);

/// Sends one byte after the other until there is an answer, whose status this gives, or the
/// connection ends.
async fn drip(client: &mut Client) -> Option<String> {
    let head = eventually("the end of what drips", async || {
        if !client.offer(b"a", DRIP).await {
            return Some(client.head().await);
        }
        tokio::time::timeout(DRIP, client.head()).await.ok()
    })
    .await;
    head.map(|head| head.part(1).to_owned())
}

async fn clean(modegate: &Modegate) {
    assert_eq!(modegate.post("/api/chat", r#"{"text":"t"}"#).await.status, 200);
}

/// Case 87: a byte at a time within any limit between bytes.
#[tokio::test]
async fn a_head_has_its_time_in_all() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nheader = \"300ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let head = "POST /api/chat HTTP/1.1\r\nHost: h\r\nX-A: ";
    let mut first = Client::connect(modegate.frontend()).await;
    first.write(head).await;
    assert!(drip(&mut first).await.is_none(), "closed without an answer");

    let mut second = Client::connect(modegate.frontend()).await;
    assert_eq!(second.exchange(&Request::get("/other")).await.status, 200);
    second.write(head).await;
    assert!(drip(&mut second).await.is_none(), "closed without an answer");
    assert_eq!(origin.requests(), 1);
    clean(&modegate).await;
}

/// Case 87: the same for a body that is inspected, or held for its length.
#[tokio::test]
async fn a_held_body_has_its_time_in_all() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nbody = \"300ms\"\n[limits]\nupload_rate = \"off\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let heads = [
        "POST /api/chat HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n\"",
        "POST /api/chat HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nf0000\r\n\"",
        "GET /other HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nf0000\r\n\"",
    ];
    for head in heads {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(head).await;
        assert_eq!(drip(&mut client).await.as_deref(), Some("408"), "{head}");
        client.closed().await;
        assert_eq!(origin.accepted(), 0, "{head}");
    }
    modegate.counted("modegate_rejections_total", &[("reason", "body_timeout")], 3.0).await;
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
    clean(&modegate).await;
}

const UPLOAD: &str = "PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";

/// Case 87: a body that streams through is never idle, and slower than any link.
#[tokio::test]
async fn an_upload_keeps_a_pace() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nbody = \"300ms\"\n[limits]\nupload_rate = \"64KiB\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    // One that stops altogether is only then idle when it has stopped for a minute. What it calls
    // itself makes no stream of it.
    for kind in ["text/plain", "text/event-stream", "application/grpc"] {
        let mut stopped = Client::connect(modegate.frontend()).await;
        let upload = UPLOAD.replace("Host: h", &format!("Host: h\r\nContent-Type: {kind}"));
        stopped.write(upload).await;
        assert_eq!(stopped.response().await.status, 408, "{kind}");
    }
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(UPLOAD).await;
    assert_eq!(drip(&mut client).await.as_deref(), Some("408"));
    client.closed().await;
    let received = origin.wait_for(4).await;
    assert!(received.body.len() < 10_000, "{} bytes", received.body.len());
    eventually("the end of the cut upload", async || {
        let cut = |received: &Received| received.end == Some(End::Cut);
        origin.received().iter().all(cut).then_some(())
    })
    .await;
    modegate.counted("modegate_rejections_total", &[("reason", "body_timeout")], 4.0).await;
    let fast = Client::once(modegate.frontend(), Request::post("/upload", vec![b'x'; 1 << 20]));
    assert_eq!(fast.await.body.len(), 1 << 20);
    clean(&modegate).await;
}

/// An upload that is slow, but not too slow, has the time that it takes; so has one with no limit,
/// and one whose answer has begun, as in a stream each way.
#[tokio::test]
async fn an_upload_that_keeps_it_has_its_time() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    let origin = Origin::start(move |request| match request.target() {
        "/begun" => Answer::Early(format!("{head}be").into_bytes()),
        "/over" => Answer::Early(format!("{head}over").into_bytes()),
        _ => Answer::Echo,
    })
    .await;
    // An answer that is on its way gives a body its time; one that is over does not.
    let cases = [
        ("1B", "/upload", End::Clean),
        ("off", "/upload", End::Clean),
        ("1GiB", "/begun", End::Clean),
        ("1GiB", "/over", End::Cut),
    ];
    for (rate, target, end) in cases {
        let extra = format!(
            "[timeouts]\nbody = \"1s\"\nheader = \"2s\"\n[limits]\nupload_rate = \"{rate}\"\n"
        );
        let modegate = Modegate::start(&settings(&origin, &extra)).await;
        let mut client = Client::connect(modegate.frontend()).await;
        let head = format!("PUT {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n");
        client.write(head + "0123456789").await;
        match target {
            "/begun" => assert_eq!(client.head().await.expect("an answer").part(1), "200"),
            "/over" => assert_eq!(client.response().await.text(), "over"),
            _ => {}
        }
        // Another connection was closed for its head: the body's time is over.
        let mut slow = Client::connect(modegate.frontend()).await;
        slow.write("GET ").await;
        slow.closed().await;
        if end == End::Clean {
            client.write("0123456789").await;
        }
        if target == "/upload" {
            assert_eq!(client.response().await.text(), "01234567890123456789", "{rate}");
        }
        eventually("the whole upload", async || {
            let received = origin.received().pop()?;
            (received.end == Some(end)).then_some(())
        })
        .await;
        assert_eq!(origin.last().body.len(), if end == End::Clean { 20 } else { 10 });
        clean(&modegate).await;
    }
}

/// Case 87: five thousand idle connections, slow heads and slow bodies together.
#[tokio::test]
async fn clients_are_served_among_thousands_that_do_nothing() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate =
        Modegate::start(&settings(&origin, "[limits]\nconnections_per_address = 10000\n")).await;
    let mut events = Client::connect(modegate.frontend()).await;
    events.write(Request::post("/api/chat/stream", "{}").bytes()).await;
    let stream = scripts.next().await;
    stream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
    stream.send("Transfer-Encoding: chunked\r\n\r\n");
    let head = events.head().await.expect("a head");
    let mut framing = head.framing(crate::harness::Framing::None);
    let begun = [
        ("idle connections", "", 5000),
        ("slow heads", "POST /api/chat HTTP/1.1\r\nHost: h\r\nX-A: a", 250),
        ("slow bodies", "POST /api/chat HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{", 250),
        ("slow uploads", "PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{", 100),
    ];
    let mut flood = Vec::new();
    for (what, bytes, connections) in begun {
        for _ in 0..share(connections) {
            let mut client = Client::connect(modegate.frontend()).await;
            if !bytes.is_empty() {
                client.write(bytes).await;
            }
            flood.push(client);
        }
        if what == "slow uploads" {
            for _ in 0..share(connections) {
                scripts.next().await;
            }
        }
        // On a new connection, on one that is open, and on the admin API.
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/api/chat", "{}").bytes()).await;
        let answer = scripts.next().await;
        answer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        answer.step(Step::Next);
        assert_eq!(client.response().await.text(), "ok", "{what}");
        stream.chunk(format!("data: {what}\n\n"));
        assert_eq!(events.data(&mut framing).await, format!("data: {what}\n\n"));
        assert_eq!(modegate.call("GET", "/live", None).await.status, 200, "{what}");
    }
    drop((flood, events));
    modegate.counted("modegate_connections", &[], 0.0).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
}
