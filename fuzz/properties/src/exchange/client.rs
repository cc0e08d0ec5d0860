//! The client in front of the sidecar: writes bytes in pieces, and reads answers.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::origin::MARK;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether it is the origin's.
    pub is_origins: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// A connection to the sidecar.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// A new connection.
    pub async fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, buffer: Vec::new() })
    }

    /// Writes pieces, so that each may be read by itself. The other side may have had enough before the last one.
    pub async fn write(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            if self.stream.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The answer to a request of this method; `None` where the connection ends before it does.
    pub async fn answer(&mut self, method: &str) -> Option<Answer> {
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("no answer: {head:?}"));
            if status < 200 {
                assert_eq!(status, 100, "{head:?}");
                continue;
            }
            let field = |name: &str| {
                let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
                lines
                    .filter(|(known, _)| *known == name)
                    .map(|(_, value)| value.trim().to_owned())
                    .next()
            };
            let body = match (field("content-length"), field("transfer-encoding")) {
                _ if method == "HEAD" => Vec::new(),
                (Some(length), None) => self.take(length.parse().expect("a length")).await?,
                (None, Some(_)) => self.chunked().await?,
                framing => panic!("an answer framed by {framing:?}: {head:?}"),
            };
            return Some(Answer { status, is_origins: field(MARK).is_some(), body });
        }
    }

    /// Says that nothing follows, and reads to the end.
    pub async fn finish(mut self) {
        // What is gone already needs no end.
        if self.stream.shutdown().await.is_ok() {
            while self.fill().await {}
        }
    }

    async fn chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let digits = std::str::from_utf8(&line[..line.len() - 2]).expect("digits");
            let size = usize::from_str_radix(digits, 16).expect("a size");
            let chunk = self.take(size + 2).await?;
            assert!(chunk.ends_with(b"\r\n"), "{chunk:?}");
            if size == 0 {
                return Some(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.buffer.windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                return self.take(at + end.len()).await;
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Reads more; false at the end. A reset is an end too.
    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.is_ok_and(|read| read > 0)
    }
}
