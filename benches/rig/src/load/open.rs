//! Requests at a fixed rate, whatever becomes of them: what a client waits. A request's time runs
//! from the moment at which it was due, so that a proxy that stalls is charged for every request
//! that should have been sent meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, LocalSet};

use super::closed::exchange;
use super::{First, Load, Target, failed, start};

/// How many connections carry the requests: more than are ever in flight below saturation.
const CONNECTIONS: usize = 64;
/// How many requests may wait before the proxy is said not to keep up, as a part of a second's.
const BEHIND: f64 = 0.25;

/// How long clients waited.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    /// Half of them at most so long.
    pub p50: Duration,
    /// 99 of 100.
    pub p99: Duration,
    /// 999 of 1,000.
    pub p999: Duration,
}

#[derive(Default)]
struct Due {
    /// When each request that was not sent yet was due.
    waiting: RefCell<VecDeque<Instant>>,
    some: Notify,
    number: Cell<u64>,
    waited: RefCell<Vec<Duration>>,
}

/// Sends `load` `rate` times a second for `warm`, and then for `lasts`, which is measured.
///
/// # Errors
/// Where a connection fails, or the proxy does not keep up.
pub async fn run(
    target: &Target,
    load: Load,
    rate: f64,
    (warm, lasts): (Duration, Duration),
) -> io::Result<Waited> {
    let (due, first) = (Rc::new(Due::default()), First::default());
    let set = LocalSet::new();
    set.run_until(async {
        let connections =
            start(CONNECTIONS, &first, || connection(target.clone(), load, due.clone()));
        let sent = send(&due, rate, (warm, lasts)).await;
        connections.iter().for_each(AbortHandle::abort);
        if let Some(error) = first.take() {
            return Err(error);
        }
        sent?;
        percentiles(due.waited.take())
    })
    .await
}

/// Makes a request due at every tick of a timer that is finer than the runtime's.
async fn send(due: &Due, rate: f64, (warm, lasts): (Duration, Duration)) -> io::Result<()> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
    let interval = Duration::from_secs_f64(1.0 / rate);
    let every = Expiration::Interval(TimeSpec::from_duration(interval));
    timer.set(every, TimerSetTimeFlags::empty())?;
    // It is read as a pipe is: eight bytes, how often it has ticked.
    let mut timer = Receiver::from_owned_fd_unchecked(timer.into())?;
    let begun = Instant::now();
    let mut next = begun + interval;
    let mut is_warm = false;
    while begun.elapsed() < warm + lasts {
        let ticks = u64::from_ne_bytes(timer.read_u64().await?.to_be_bytes());
        if !is_warm && begun.elapsed() >= warm {
            is_warm = true;
            due.waited.borrow_mut().clear();
        }
        for _ in 0..ticks {
            due.waiting.borrow_mut().push_back(next);
            due.some.notify_one();
            next += interval;
        }
        if due.waiting.borrow().len() as f64 > BEHIND * rate {
            return Err(failed("does not keep up"));
        }
    }
    Ok(())
}

async fn connection(target: Target, load: Load, due: Rc<Due>) -> io::Result<()> {
    let mut wire = target.connect().await?;
    let mut request = load.request();
    loop {
        let next = due.waiting.borrow_mut().pop_front();
        let Some(at) = next else {
            due.some.notified().await;
            continue;
        };
        due.number.set(due.number.get() + 1);
        exchange(&mut wire, &mut request, due.number.get(), |_| ()).await?;
        due.waited.borrow_mut().push(at.elapsed());
    }
}

fn percentiles(mut waited: Vec<Duration>) -> io::Result<Waited> {
    waited.sort_unstable();
    let at = |part: f64| {
        let place = (waited.len() as f64 * part).ceil().max(1.0) as usize - 1;
        waited.get(place).copied().ok_or_else(|| failed("nothing was answered in time"))
    };
    Ok(Waited { p50: at(0.5)?, p99: at(0.99)?, p999: at(0.999)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_smallest_that_so_many_reach() {
        let waited = (1..=1000).rev().map(Duration::from_micros).collect();
        let Waited { p50, p99, p999 } = percentiles(waited).unwrap();
        assert_eq!([p50, p99, p999].map(|one| one.as_micros()), [500, 990, 999]);
        assert!(percentiles(Vec::new()).is_err());
    }
}
