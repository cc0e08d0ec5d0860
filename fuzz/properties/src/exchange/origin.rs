//! The origin behind the sidecar: it reads as strictly as it can, keeps what it read, and answers with the body that it
//! was sent.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http1::{Begins, Request, begins};

/// Marks an answer as the origin's.
pub const MARK: &str = "x-origin";

/// What arrived since it was last asked.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Whole requests, in the order in which they ended.
    pub requests: Vec<Request>,
    /// What was none, with the reason.
    pub wrong: Vec<String>,
}

/// What arrived, shared with the connections.
pub type Arrivals = Rc<RefCell<Arrived>>;

/// Serves connections for ever, on the runtime that also drives the client: what arrived before a later request was
/// answered is then written down before that answer is read.
pub async fn serve(listener: TcpListener, arrivals: Arrivals) {
    while let Ok((stream, _)) = listener.accept().await {
        let arrivals = arrivals.clone();
        // A connection that breaks ends.
        tokio::task::spawn_local(async move { drop(connection(stream, &arrivals).await) });
    }
}

async fn connection(mut stream: TcpStream, arrivals: &Arrivals) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        match begins(&buffer) {
            Begins::With(request, length) => {
                buffer.drain(..length);
                let answer = answer(&request);
                arrivals.borrow_mut().requests.push(request);
                stream.write_all(&answer).await?;
            }
            Begins::Wrong(why) => {
                let why = format!("{why}: {}", buffer.escape_ascii());
                arrivals.borrow_mut().wrong.push(why);
                return Ok(());
            }
            Begins::Open => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
        }
    }
}

fn answer(request: &Request) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\n{MARK}: 1\r\ncontent-length: {}\r\n\r\n", request.body.len());
    let body = if request.method == "HEAD" { &[][..] } else { &request.body };
    [head.as_bytes(), body].concat()
}
