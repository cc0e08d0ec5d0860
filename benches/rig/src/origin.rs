//! The server behind every proxy: answers a message at once, or with an event stream.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval};

use crate::wire::{Head, Wire};

/// The events of a stream.
const EVENTS: usize = 200;
/// What lies between two of them: each is written, and so read and sent on, by itself.
const PACE: Duration = Duration::from_millis(2);

/// An API server's answer to a message.
const ANSWER: &str = r#"{"text":"The answer, of about the usual length.","agentName":"Eliza"}"#;
const EVENT: &str = "data: {\"type\":\"token\",\"text\":\"a word or two \"}\n\n";
const DONE: &str =
    "data: {\"type\":\"done\",\"fullText\":\"all of it\",\"agentName\":\"Eliza\"}\n\n";
/// The answer to the key of RFC 6455, section 1.3.
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
     Cache-Control: no-cache, no-transform\r\nConnection: keep-alive\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Serves until it is ended. Says where it listens on a line of its output.
pub async fn serve(listen: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A client that goes away is none of the origin's business.
            let _ = connection(stream).await;
        });
    }
}

async fn connection(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.request().await? {
        if head.upgrade {
            wire.stream.write_all(SWITCH.as_bytes()).await?;
            let (mut read, mut write) = split(wire.stream);
            return copy(&mut read, &mut write).await.map(drop);
        }
        let read = wire.body(head.length, |_| ()).await?;
        match head.target.ends_with("/messages/stream") {
            true => stream_events(&mut wire.stream, &head).await?,
            false => wire.stream.write_all(answer(&head, read).as_bytes()).await?,
        }
    }
    Ok(())
}

/// As Node writes its head. The answer says what arrived, so that the load can tell whether a proxy does its job.
fn answer(head: &Head, read: u64) -> String {
    let mode = head.mode.as_deref().unwrap_or("none");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Rig: {read} {mode}\r\n\
         Date: Wed, 25 Nov 2026 14:00:00 GMT\r\nConnection: keep-alive\r\n\
         Keep-Alive: timeout=5\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    )
}

async fn stream_events(stream: &mut TcpStream, head: &Head) -> io::Result<()> {
    stream.write_all(STREAM.as_bytes()).await?;
    if head.rig == "idle" {
        stream.write_all(chunk(EVENT).as_bytes()).await?;
        // As long as the client likes: it never sends anything.
        return stream.readable().await;
    }
    let event = chunk(EVENT);
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 1..EVENTS {
        pace.tick().await;
        stream.write_all(event.as_bytes()).await?;
    }
    let end = format!("{}0\r\n\r\n", chunk(DONE));
    stream.write_all(end.as_bytes()).await
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
