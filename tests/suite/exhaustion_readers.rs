//! Clients that do not take what they asked for: what waits for them is bounded, the upstream is
//! held back, and nobody else waits (case 87).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Client, End, Framing, Modegate, Piece, Request, eventually, listener};

const MIB: usize = 1 << 20;
const EVENT: usize = 16 * 1024;
/// More than can be on the way to a client that takes nothing.
const FINITE: usize = 128 * MIB;

/// What may be on the way to one client that takes nothing: what the system buffers at the ends of
/// two connections, and a little of ours.
fn on_the_way() -> usize {
    let largest = |end: &str| -> usize {
        let sizes = std::fs::read_to_string(format!("/proc/sys/net/ipv4/tcp_{end}mem")).unwrap();
        sizes.split_whitespace().last().and_then(|size| size.parse().ok()).unwrap()
    };
    2 * (largest("r") + largest("w")) + 2 * MIB
}

/// An origin of fast event streams: `/finite` is 128 MiB long, all others never end.
struct Firehose {
    url: String,
    /// What was written on the streams that never end.
    endless: Arc<AtomicUsize>,
}

impl Firehose {
    async fn start() -> Firehose {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let endless = Arc::new(AtomicUsize::new(0));
        let written = endless.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pour(stream, written.clone()));
            }
        });
        Firehose { url, endless }
    }

    fn written(&self) -> usize {
        self.endless.load(Relaxed)
    }
}

async fn pour(mut stream: TcpStream, endless: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n{}") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let finite = String::from_utf8_lossy(&head).contains("/finite");
    let begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                 Transfer-Encoding: chunked\r\n\r\n";
    let event = format!("data: {}\n\n", "x".repeat(EVENT - 8));
    let chunk = format!("{EVENT:x}\r\n{event}\r\n");
    let _ = stream.write_all(begin.as_bytes()).await;
    let mut sent = 0;
    while !finite || sent < FINITE {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            return;
        }
        sent += EVENT;
        if !finite {
            endless.fetch_add(EVENT, Relaxed);
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
}

/// Reads a stream to its end; gives its length.
async fn all(modegate: &Modegate) -> usize {
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::post("/finite", "{}").bytes()).await;
    let mut framing = client.head().await.expect("a head").framing(Framing::None);
    let mut length = 0;
    loop {
        match client.piece(&mut framing).await {
            Piece::Data(data) => length += data.len(),
            Piece::End(end, _) => {
                assert_eq!(end, End::Clean);
                return length;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_of_a_fast_stream_holds_its_origin_back_and_nobody_else() {
    let origin = Firehose::start().await;
    let modegate = Modegate::start(&listener("frontend", &origin.url)).await;
    // Every thread has seen such a stream before: what it keeps for the next is no growth.
    for _ in 0..3 {
        assert_eq!(all(&modegate).await, FINITE);
    }
    let before = modegate.memory();
    let mut slow = Client::connect(modegate.frontend()).await;
    slow.write(Request::post("/endless", "{}").bytes()).await;
    let mut framing = slow.head().await.expect("a head").framing(Framing::None);
    // While another takes 128 MiB, this one could have been sent as much.
    assert_eq!(all(&modegate).await, FINITE);
    let written = origin.written();
    assert!(on_the_way() < FINITE && written < on_the_way(), "{} MiB", written / MIB);
    let grown = modegate.memory().saturating_sub(before);
    // Held, it would be as much as the other took: 128 MiB.
    assert!(grown < 32 * 1024, "{grown} KiB more");

    // It is only held back: what is taken is replaced.
    let mut taken = 0;
    while taken < written + MIB {
        let Piece::Data(data) = slow.piece(&mut framing).await else { panic!("it ended") };
        taken += data.len();
    }
    eventually("the stream to go on", async || (origin.written() >= taken).then_some(())).await;
    drop(slow);
    modegate.counted("modegate_connections", &[], 0.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_slow_readers_cost_what_each_of_them_costs() {
    const READERS: usize = 40;
    let origin = Firehose::start().await;
    let modegate = Modegate::start(&listener("frontend", &origin.url)).await;
    assert_eq!(all(&modegate).await, FINITE);
    let before = modegate.memory();
    let mut slow = Vec::new();
    for _ in 0..READERS {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/endless", "{}").bytes()).await;
        assert!(client.head().await.is_some());
        slow.push(client);
    }
    assert_eq!(all(&modegate).await, FINITE);
    let each = modegate.memory().saturating_sub(before) / READERS;
    assert!(each < 2 * 1024, "{each} KiB each");
    assert_eq!(modegate.call("GET", "/live", None).await.status, 200);
    drop(slow);
    modegate.counted("modegate_connections", &[], 0.0).await;
}
