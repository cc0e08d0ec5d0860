//! Upstreams that answer too early, too slowly, too much or not at all (cases 81 and 82).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{
    Client, End, Modegate, RawOrigin, Request, eventually, head_end, is_whole, request_until,
    settings_for,
};

/// The next request comes on a connection of its own.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
const LARGE: &[u8] =
    b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge";

/// Reads a request's head; a control is served whole, and is no attack.
async fn attacked(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let head = request_until(stream, |bytes| head_end(bytes).is_some()).await?;
    if !head.starts_with(b"POST /api/chat/stream") {
        return Some(head);
    }
    let mut whole = head;
    while !is_whole(&whole) {
        stream.read_buf(&mut whole).await.ok().filter(|read| *read > 0)?;
    }
    let _ = stream.write_all(OK).await;
    None
}

/// A clean request is served.
async fn control(modegate: &Modegate) {
    let response = modegate.post("/api/chat/stream", r#"{"text":"clean"}"#).await;
    assert_eq!((response.status, response.text().as_str()), (200, "{}"), "a clean request");
}

/// Case 81: an answer before the request's end, and then a close, orderly or over unread bytes.
#[tokio::test]
async fn an_early_answer_is_relayed_and_nothing_hangs() {
    for orderly in [true, false] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let origin = RawOrigin::start(move |mut stream| {
            let asked = counted.clone();
            async move {
                if attacked(&mut stream).await.is_none() {
                    return;
                }
                asked.fetch_add(1, Relaxed);
                let _ = stream.write_all(LARGE).await;
                if orderly {
                    let _ = stream.shutdown().await;
                    let _ = request_until(&mut stream, |_| false).await;
                }
            }
        })
        .await;
        let modegate = Modegate::start(&settings_for(&origin.url(), "")).await;
        let mut sent = 0;
        for length in [20, 5_000, 3 << 20] {
            let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(length));
            for target in ["/api/chat", "/upload"] {
                for request in
                    [Request::post(target, &*body), Request::post(target, &*body).chunked(9999)]
                {
                    let mut client = Client::connect(modegate.frontend()).await;
                    let response = client.exchange(&request).await;
                    sent += 1;
                    let case = format!("case 81: {length} bytes to {target}, orderly {orderly}");
                    let relayed = (response.status, response.text().as_str(), response.end)
                        == (413, "large", End::Clean);
                    // A reset may overtake the answer.
                    let lost = !orderly && (response.status == 502 || response.end == End::Cut);
                    assert!(relayed || lost, "{case}: {response:?}");
                    assert_eq!(asked.load(Relaxed), sent, "{case}");
                }
            }
        }
        control(&modegate).await;
        modegate.counted("modegate_inflight", &[], 0.0).await;
        modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
    }
}

/// What an upstream sends for ever.
#[derive(Clone, Copy, Debug)]
enum Flood {
    /// The same bytes again and again, as fast as they are taken.
    Of(&'static [u8]),
    /// A byte now and then.
    Drip(&'static [u8]),
}

/// Case 82: what never becomes an answer ends at the configured time or size, in bounded memory.
#[tokio::test]
async fn an_answer_that_never_comes_is_given_up() {
    let hint: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
    let drip: &[u8] = b"HTTP/1.1 200 OK\r\nX-Slow: 0000000000000000000000000000000000000000000000";
    let floods: [(&[u8], Flood, &[u16]); 8] = [
        (b"", Flood::Of(hint), &[502, 504]),
        (b"", Flood::Of(b"HTTP/1.1 100 Continue\r\n\r\n"), &[502, 504]),
        (b"", Flood::Of(b"HTTP/1.1 102 Processing\r\n\r\n"), &[502, 504]),
        (b"HTTP/1.1 200 OK\r\n", Flood::Of(b"X-Field: value\r\n"), &[502]),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", Flood::Of(&[b'a'; 4096]), &[502]),
        (b"HTTP/1.1 103 Early Hints\r\nX-Long: ", Flood::Of(&[b'a'; 4096]), &[502]),
        (b"", Flood::Drip(drip), &[504]),
        (b"", Flood::Drip(hint), &[504]),
    ];
    for (start, flood, statuses) in floods {
        let open = Arc::new(AtomicUsize::new(0));
        let counted = open.clone();
        let origin = RawOrigin::start(move |mut stream| {
            let open = counted.clone();
            async move {
                if attacked(&mut stream).await.is_none() {
                    return;
                }
                open.fetch_add(1, Relaxed);
                let _ = stream.write_all(start).await;
                send_for_ever(&mut stream, flood).await;
                open.fetch_sub(1, Relaxed);
            }
        })
        .await;
        // What goes over a size must not have to wait for the time.
        let timed = if statuses.contains(&504) { "first_byte = \"1s\"" } else { "" };
        let extra = format!("[timeouts]\n{timed}\n");
        let modegate = Modegate::start(&settings_for(&origin.url(), &extra)).await;
        control(&modegate).await;
        let memory = modegate.memory();
        for target in ["/api/chat", "/other"].into_iter().take(if timed.is_empty() { 2 } else { 1 })
        {
            let response = modegate.post(target, "{}").await;
            assert!(statuses.contains(&response.status), "case 82: {flood:?}: {}", response.status);
            assert_eq!(response.end, End::Clean);
        }
        let grown = modegate.memory().saturating_sub(memory);
        assert!(grown < 64 << 10, "case 82: {flood:?} took {grown} KiB");
        eventually("the end of the flood, case 82", async || {
            (open.load(Relaxed) == 0).then_some(())
        })
        .await;
        control(&modegate).await;
    }
}

async fn send_for_ever(stream: &mut TcpStream, flood: Flood) {
    match flood {
        Flood::Of(bytes) => {
            let many = bytes.repeat(4096 / bytes.len());
            while stream.write_all(&many).await.is_ok() {}
        }
        Flood::Drip(bytes) => {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            for byte in bytes.iter().cycle() {
                ticks.tick().await;
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Case 82: heads over the limit, and the answer to a question that nobody asked.
#[tokio::test]
async fn an_answer_that_is_none_is_a_502() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 2\r\n\r\n{{}}",
        "a".repeat(1 << 20)
    );
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\n{{}}",
        "X-Many: a\r\n".repeat(20_000)
    );
    let answers = [
        long,
        many,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nsecret"
            .to_owned(),
        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: \0\r\n\r\n{}".to_owned(),
    ];
    for answer in answers {
        let shown = answer[..answer.len().min(60)].to_owned();
        let origin = RawOrigin::start(move |mut stream| {
            let answer = answer.clone();
            async move {
                if attacked(&mut stream).await.is_some() {
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                    let _ = request_until(&mut stream, |_| false).await;
                }
            }
        })
        .await;
        let modegate = Modegate::start(&settings_for(&origin.url(), "")).await;
        for target in ["/api/chat", "/other"] {
            let response = modegate.post(target, "{}").await;
            assert_eq!(response.status, 502, "case 82: {shown:?}: {}", response.text());
            assert!(!response.text().contains("secret"));
        }
        control(&modegate).await;
    }
}
