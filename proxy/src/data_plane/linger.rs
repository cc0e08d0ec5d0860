//! A close that lets the client read the last answer: a socket that is closed with bytes unread
//! resets the connection, and the reset overtakes what was sent.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// How much is read for nobody: what a client may have on its way before it sees the answer. One
/// that goes on regardless gets its reset.
const BYTES: usize = 256 * 1024;

/// How long a client has to read the answer and close: a round trip on a bad line.
const TIME: Duration = Duration::from_secs(2);

/// Reads and discards after the writing half was closed.
#[derive(Debug, Default)]
pub struct Linger {
    read: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    /// Ready once the connection may be dropped. Where nothing is owed, that is at once unless
    /// there is something to be read.
    pub fn poll<S>(&mut self, cx: &mut Context<'_>, stream: &mut S, owed: bool) -> Poll<()>
    where
        S: AsyncRead + Unpin + ?Sized,
    {
        let mut space = [MaybeUninit::uninit(); 8 * 1024];
        while self.read < BYTES {
            let mut buf = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.read += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if !owed && self.read == 0 => return Poll::Ready(()),
                Poll::Pending => {
                    let timer =
                        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(TIME)));
                    return timer.as_mut().poll(cx);
                }
            }
        }
        Poll::Ready(())
    }
}
