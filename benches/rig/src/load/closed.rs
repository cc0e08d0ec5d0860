//! A fixed number of connections, each of which sends its next request when the last is answered:
//! the most that a proxy serves, and what that costs it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::sleep;

use super::{First, Load, Request, Target, failed, start};
use crate::wire::{Io, Wire};

/// What was served in a window of time.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Requests answered, or events of them, whole.
    pub units: u64,
    /// How long that took.
    pub lasted: Duration,
    /// What `meter` counted meanwhile.
    pub metered: Duration,
}

/// Sends `load` for `warm`, and then for `lasts`, which is measured; `meter` says how much CPU time
/// the proxy has had.
///
/// # Errors
/// What the first connection that failed says.
pub async fn run(
    target: &Target,
    load: Load,
    (warm, lasts): (Duration, Duration),
    meter: impl Fn() -> io::Result<Duration>,
) -> io::Result<Served> {
    let (counted, first) = (Rc::new(Counted::default()), First::default());
    let set = LocalSet::new();
    set.run_until(async {
        let connections =
            start(load.connections(), &first, || connection(target.clone(), load, counted.clone()));
        sleep(warm).await;
        let (before, begun, units) = (meter()?, Instant::now(), counted.units.get());
        sleep(lasts).await;
        let served = Served {
            units: counted.units.get() - units,
            lasted: begun.elapsed(),
            metered: meter()?.saturating_sub(before),
        };
        connections.iter().for_each(AbortHandle::abort);
        match first.take() {
            Some(error) => Err(error),
            None if served.units == 0 => Err(failed("nothing was answered in time")),
            None => Ok(served),
        }
    })
    .await
}

#[derive(Default)]
struct Counted {
    sent: Cell<u64>,
    units: Cell<u64>,
}

async fn connection(target: Target, load: Load, counted: Rc<Counted>) -> io::Result<()> {
    let mut wire = target.connect().await?;
    let mut request = load.request();
    loop {
        counted.sent.set(counted.sent.get() + 1);
        exchange(&mut wire, &mut request, counted.sent.get(), |data| {
            // Events are counted as they come; each is a chunk of its own, and ends so.
            if load == Load::Stream {
                let ends = data.windows(2).filter(|two| two == b"\n\n").count() as u64;
                counted.units.set(counted.units.get() + ends);
            }
        })
        .await?;
        if load != Load::Stream {
            counted.units.set(counted.units.get() + 1);
        }
    }
}

/// Sends a request and reads its answer to the end.
///
/// # Errors
/// Where the connection fails, or the answer is not 200.
pub async fn exchange(
    wire: &mut Wire<Box<dyn Io>>,
    request: &mut Request,
    number: u64,
    take: impl FnMut(&[u8]),
) -> io::Result<String> {
    wire.stream.write_all(request.bytes(number)).await?;
    wire.stream.flush().await?;
    let head = wire.answer().await?;
    if head.status != 200 {
        return Err(failed(format_args!("the answer was {}", head.status)));
    }
    wire.body(head.length, take).await?;
    Ok(head.rig)
}
