//! What a drill sent, and what of it arrived.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::Failure;

/// A message of the drill as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// When it was sent.
    pub sent: Instant,
    /// When it arrived.
    pub at: Instant,
    /// Its tag or its body say a mode other than the default.
    pub fast: bool,
    /// It has the contract's member.
    pub member: bool,
}

/// Both, in their order.
#[derive(Debug, Default)]
pub struct Log {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Written {
    sent: Vec<Instant>,
    arrived: Vec<Arrived>,
    /// Why nothing is sent any more.
    fault: Option<Failure>,
    /// The drill is to end.
    interrupted: bool,
}

impl Log {
    /// A message is about to be sent; its number.
    pub fn sent(&self) -> usize {
        let mut written = self.lock();
        written.sent.push(Instant::now());
        written.sent.len() - 1
    }

    /// The message with this number arrived.
    pub fn arrived(&self, number: usize, fast: bool, member: bool) {
        let mut written = self.lock();
        if let Some(sent) = written.sent.get(number).copied() {
            written.arrived.push(Arrived { sent, at: Instant::now(), fast, member });
            self.changed.notify_all();
        }
    }

    /// Nothing is sent any more, for this reason.
    pub fn failed(&self, fault: Failure) {
        self.lock().fault = Some(fault);
        self.changed.notify_all();
    }

    /// The drill is to end.
    pub fn interrupt(&self) {
        self.lock().interrupted = true;
        self.changed.notify_all();
    }

    /// Whether the drill may go on.
    pub fn goes_on(&self) -> Result<(), Failure> {
        goes_on(&self.lock())
    }

    /// Waits until so many messages that were sent after a moment arrived; everything that arrived
    /// after it.
    pub fn since(
        &self,
        moment: Instant,
        enough: usize,
        patience: Duration,
    ) -> Result<Vec<Arrived>, Failure> {
        let is_enough = |written: &Written| {
            let sent_after = written.arrived.iter().filter(|arrived| arrived.sent >= moment);
            sent_after.count() >= enough
        };
        let waits = |written: &mut Written| {
            !is_enough(written) && written.fault.is_none() && !written.interrupted
        };
        let waited = self.changed.wait_timeout_while(self.lock(), patience, waits);
        let (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        goes_on(&written)?;
        match &written.fault {
            _ if is_enough(&written) => {
                let after = written.arrived.iter().filter(|arrived| arrived.at >= moment);
                Ok(after.copied().collect())
            }
            Some(fault) => Err(fault.clone()),
            None => {
                let why = "too few messages reach the origin: is --origin the listener's upstream?";
                Err(Failure::Unreachable(why.to_owned()))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn goes_on(written: &Written) -> Result<(), Failure> {
    match written.interrupted {
        true => Err(Failure::Failed("interrupted".to_owned())),
        false => Ok(()),
    }
}
