//! A client of HTTP/1.1, by the suite's own reader.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::{Seen, Why};
use crate::chaos::ask::Ask;
use crate::harness::{Address, End, Head, Piece, Wire, answer_framing, connect};

/// Connects; `None` where that fails.
pub async fn open(address: SocketAddr) -> Option<Wire> {
    connect(&Address::Tcp(address)).await.ok().map(Wire::new)
}

/// Asks; gives the connection back where it can be used again.
pub async fn ask(mut wire: Wire, ask: &Ask, patience: Duration) -> (Seen, Option<Wire>) {
    let writing = wire.write_aside(ask.request().bytes());
    let mut answer = None;
    let read = timeout(patience, read(&mut wire, &mut answer)).await;
    writing.abort();
    let writer = writing.await;
    let nothing = |why| (Seen::Nothing(why), None);
    match (read, answer) {
        // Where a length or a coding is missing, a cut looks like an end: so it is judged as one.
        (Ok(end @ (End::Clean | End::Closed)), Some((status, head, body))) => {
            let id = head.field("x-request-id").map(str::to_owned);
            let closes = end == End::Closed || head.all("connection").contains(&"close");
            let seen = Seen::Whole { status, id, head: head.raw, body };
            match writer {
                Ok(writer) if !closes => {
                    wire.write_again(writer);
                    (seen, Some(wire))
                }
                _ => (seen, None),
            }
        }
        (_, Some((status, head, body))) => (Seen::Cut { status, head: head.raw, body }, None),
        (Err(_), None) => nothing(Why::Silent),
        (Ok(_), None) => match wire.failed {
            Some(ErrorKind::ConnectionReset) => nothing(Why::Reset),
            _ => nothing(Why::Closed),
        },
    }
}

/// Reads an answer into `answer`, so that what there is of it stays when it breaks off.
async fn read(wire: &mut Wire, answer: &mut Option<(u16, Head, Vec<u8>)>) -> End {
    let (status, head) = loop {
        let Some(head) = wire.head().await else { return End::Cut };
        let status: u16 = head.part(1).parse().expect("a status");
        if status >= 200 {
            break (status, head);
        }
    };
    let mut framing = answer_framing("GET", status, &head);
    let (_, _, body) = answer.insert((status, head, Vec::new()));
    loop {
        match wire.piece(&mut framing).await {
            Piece::Data(data) => body.extend(data),
            Piece::End(end, _) => return end,
        }
    }
}
