//! Connections that are held open: event streams that say nothing, and WebSockets that echo.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::io::AsyncWriteExt;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use super::closed::Served;
use super::{Target, failed};
use crate::message::{Member, Message, websocket};
use crate::wire::{Io, Wire};

/// How many connections are opened at once.
const OPENING: usize = 64;
/// How many WebSockets talk at once, in turn.
const TALKING: usize = 32;
/// A masked text frame of 64 bytes; what is in it is of no account.
const FRAME: [u8; 70] = [0x81; 70];

type Connection = Wire<Box<dyn Io>>;

/// Opens so many event streams, each of which has sent its first event.
///
/// # Errors
/// What the first that fails says.
pub async fn streams(target: &Target, count: usize) -> io::Result<Vec<Connection>> {
    let message = Message::new(400, Member::Last, "/messages/stream", "X-Rig: idle\r\n");
    open(target, count, move |number| {
        let mut message = message.clone();
        message.number(number);
        (message.bytes, 200, true)
    })
    .await
}

/// Opens so many WebSockets.
///
/// # Errors
/// What the first that fails says.
pub async fn websockets(target: &Target, count: usize) -> io::Result<Vec<Connection>> {
    open(target, count, |_| (websocket(), 101, false)).await
}

async fn open(
    target: &Target,
    count: usize,
    request: impl Fn(u64) -> (Vec<u8>, u16, bool),
) -> io::Result<Vec<Connection>> {
    let mut opening = JoinSet::new();
    let mut opened = Vec::with_capacity(count);
    for number in 0..count as u64 {
        if opening.len() >= OPENING {
            opened.extend(joined(opening.join_next().await)?);
        }
        let (target, (request, status, has_event)) = (target.clone(), request(number));
        opening.spawn(async move {
            let mut wire = target.connect().await?;
            wire.stream.write_all(&request).await?;
            wire.stream.flush().await?;
            let head = wire.answer().await?;
            if head.status != status {
                return Err(failed(format_args!("the answer was {}", head.status)));
            }
            if has_event {
                wire.piece(1, &mut |_| ()).await?;
            }
            Ok(wire)
        });
    }
    while let Some(next) = opening.join_next().await {
        opened.extend(joined(Some(next))?);
    }
    Ok(opened)
}

fn joined(
    next: Option<Result<io::Result<Connection>, tokio::task::JoinError>>,
) -> io::Result<Option<Connection>> {
    next.transpose().map_err(io::Error::other)?.transpose()
}

/// Sends a frame on each WebSocket in turn and waits for its echo, for so long.
///
/// # Errors
/// What the first that fails says.
pub async fn talk(
    sockets: &mut [Connection],
    lasts: Duration,
    meter: impl Fn() -> io::Result<Duration>,
) -> io::Result<Served> {
    let units = Rc::new(Cell::new(0));
    let each = sockets.len().div_ceil(TALKING).max(1);
    let set = LocalSet::new();
    let (before, begun) = (meter()?, Instant::now());
    set.run_until(async {
        let talking = sockets.chunks_mut(each).map(|sockets| echo(sockets, &units));
        tokio::select! {
            ended = try_join_all(talking) => ended.map(drop),
            () = sleep(lasts) => Ok(()),
        }
    })
    .await?;
    let lasted = begun.elapsed();
    Ok(Served { units: units.get(), lasted, metered: meter()?.saturating_sub(before) })
}

async fn echo(sockets: &mut [Connection], units: &Cell<u64>) -> io::Result<()> {
    loop {
        for socket in &mut *sockets {
            socket.stream.write_all(&FRAME).await?;
            socket.stream.flush().await?;
            socket.piece(FRAME.len() as u64, &mut |_| ()).await?;
            units.set(units.get() + 1);
        }
    }
}
