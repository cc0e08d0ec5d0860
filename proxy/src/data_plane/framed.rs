//! What the HTTP library gets to read on a client's HTTP/1 connection: up to the first byte that
//! could be read in two ways, and then nothing but a reason to refuse.

use std::error::Error;
use std::io;

use modegate_filters::framing::{Framing, Part};
use modegate_filters::rejection::Rejection;
use tokio::io::ReadBuf;

/// In place of a fault in a head: hyper refuses a NUL wherever it stands in one, answers 400 by
/// itself and closes. It looks once the head seems to be over.
const REFUSABLE: &[u8] = b"\0\r\n\r\n";

/// A connection's bytes on their way to the HTTP library.
#[derive(Debug)]
pub struct Framed {
    framing: Framing,
    left: Left,
}

/// What is left to be read.
#[derive(Debug)]
enum Left {
    /// Whatever the client sends.
    Open,
    /// These bytes in place of a head's fault.
    Head(&'static [u8]),
    /// An error in place of a body's.
    Body,
    /// Nothing.
    Ended,
}

/// A body that could be read in two ways.
#[derive(Debug)]
struct BadChunks;

impl std::fmt::Display for BadChunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is not well chunked")
    }
}

impl Error for BadChunks {}

impl Framed {
    /// A connection of which nothing was read yet.
    pub fn new() -> Framed {
        Framed { framing: Framing::new(), left: Left::Open }
    }

    /// Judges what was read behind the first `before` bytes; takes a fault back, with all that
    /// follows it. What is before a fault may be a request that is to be served.
    pub fn judge(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let read = buf.filled().get(before..).unwrap_or_default();
        if let Err(fault) = self.framing.read(read) {
            buf.set_filled(before + fault.at);
            self.left = match fault.part {
                Part::Head => Left::Head(REFUSABLE),
                Part::Body => Left::Body,
            };
        }
    }

    /// Behind a fault: what there is to be read instead. `None` while there is none.
    pub fn behind_fault(&mut self, buf: &mut ReadBuf<'_>) -> Option<io::Result<()>> {
        match self.left {
            Left::Open => return None,
            Left::Head(bytes) => {
                let (now, later) = bytes.split_at(bytes.len().min(buf.remaining()));
                buf.put_slice(now);
                self.left = if later.is_empty() { Left::Ended } else { Left::Head(later) };
            }
            Left::Body => {
                self.left = Left::Ended;
                return Some(Err(io::Error::new(io::ErrorKind::InvalidData, BadChunks)));
            }
            Left::Ended => {}
        }
        Some(Ok(()))
    }

    /// Whether more of a message is to come than was read, as far as one can tell. A head that has
    /// only begun counts where something was answered to it.
    pub fn owes(&self, answered: bool) -> bool {
        match (&self.left, self.framing.part()) {
            (Left::Open, Part::Head) => answered && !self.framing.is_between_messages(),
            _ => true,
        }
    }
}

/// Why a request's body could not be read to its end.
pub fn broken(error: &hyper::Error) -> Rejection {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<BadChunks>()) {
            return Rejection::BadChunks;
        }
        cause = error.source();
    }
    // The client is gone, or as good as gone.
    Rejection::BodyCut
}
