//! HTTP/1.1 as both ends of the rig read it: little work for each message, since whatever the load
//! and the origin take of their core is taken from what they can measure.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// A stream that a message can be read from and written to.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Fields of a head that are looked at, at most.
const FIELDS: usize = 64;
/// What is read at once, in bytes.
const READ: usize = 64 * 1024;

/// A connection and what was read of it but not taken yet.
pub struct Wire<S> {
    /// The stream, to write to.
    pub stream: S,
    buffer: BytesMut,
}

/// What the rig wants to know of a head.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// A request's method, empty in an answer.
    pub method: String,
    /// A request's target, empty in an answer.
    pub target: String,
    /// An answer's status, 0 in a request.
    pub status: u16,
    /// How long its body is.
    pub length: Length,
    /// Whether the connection becomes another protocol's, or is asked to.
    pub upgrade: bool,
    /// `x-rig`, which the load and the origin talk by.
    pub rig: String,
    /// `x-processing-mode`.
    pub mode: Option<String>,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Known(u64),
    /// As the chunks say.
    Chunked,
    /// Nothing is said, and there is none.
    #[default]
    None,
}

impl<S: Io> Wire<S> {
    /// A connection that nothing was read of.
    pub fn new(stream: S) -> Wire<S> {
        Wire { stream, buffer: BytesMut::with_capacity(READ) }
    }

    /// Reads more; an end is an error.
    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next request's head; `None` where the connection ended before it.
    pub async fn request(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some((head, length)) = request(&self.buffer)? {
                self.buffer.advance(length);
                return Ok(Some(head));
            }
            match self.more().await {
                Err(error) if self.buffer.is_empty() && is_end(&error) => return Ok(None),
                read => read?,
            }
        }
    }

    /// The next answer's head, interim answers passed over.
    pub async fn answer(&mut self) -> io::Result<Head> {
        loop {
            if let Some((head, length)) = answer(&self.buffer)? {
                self.buffer.advance(length);
                if head.status >= 200 || head.status == 101 {
                    return Ok(head);
                }
                continue;
            }
            self.more().await?;
        }
    }

    /// Reads a body to its end, gives each piece of it to `take`, and says how many bytes it had.
    pub async fn body(&mut self, length: Length, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
        match length {
            Length::None => Ok(0),
            Length::Known(length) => self.piece(length, &mut take).await.map(|()| length),
            Length::Chunked => {
                let mut whole = 0;
                loop {
                    let size = self.line().await?;
                    let size = std::str::from_utf8(&size).ok().map(str::trim_end);
                    let size = size.and_then(|text| u64::from_str_radix(text, 16).ok());
                    let size = size.ok_or_else(|| bad("a chunk's size"))?;
                    if size > 0 {
                        self.piece(size, &mut take).await?;
                        whole += size;
                    }
                    self.line().await?;
                    if size == 0 {
                        return Ok(whole);
                    }
                }
            }
        }
    }

    /// Reads what comes, and takes so many bytes of it.
    pub async fn piece(&mut self, length: u64, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            if self.buffer.is_empty() {
                self.more().await?;
            }
            let now = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if let Some(data) = self.buffer.get(..now) {
                take(data);
            }
            self.buffer.advance(now);
            left -= now as u64;
        }
        Ok(())
    }

    async fn line(&mut self) -> io::Result<BytesMut> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return Ok(self.buffer.split_to(end + 1));
            }
            self.more().await?;
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn request(buffer: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = parsed.parse(buffer).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let mut head = Head {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        ..Head::default()
    };
    head.read(parsed.headers);
    Ok(Some((head, length)))
}

fn answer(buffer: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = parsed.parse(buffer).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let mut head = Head { status: parsed.code.unwrap_or_default(), ..Head::default() };
    head.read(parsed.headers);
    Ok(Some((head, length)))
}

impl Head {
    fn read(&mut self, fields: &[httparse::Header<'_>]) {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let length = std::str::from_utf8(field.value).ok();
                if let Some(length) = length.and_then(|length| length.trim().parse().ok()) {
                    self.length = Length::Known(length);
                }
            } else if is("transfer-encoding") {
                self.length = Length::Chunked;
            } else if is("upgrade") {
                self.upgrade = true;
            } else if is("x-rig") {
                self.rig = text(field.value);
            } else if is("x-processing-mode") {
                self.mode = Some(text(field.value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn messages_follow_one_another_on_a_connection() {
        let (mut client, server) = tokio::io::duplex(64);
        let sent = "POST /a HTTP/1.1\r\nContent-Length: 3\r\nx-rig: idle\r\n\r\nabc\
                    POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=1\r\n";
        let writing = async move {
            client.write_all(sent.as_bytes()).await.unwrap();
            client.write_all(b"f\r\n0\r\n\r\n").await.unwrap();
        };
        let reading = async move {
            let mut wire = Wire::new(server);
            let head = wire.request().await.unwrap().unwrap();
            assert_eq!((head.target.as_str(), head.rig.as_str()), ("/a", "idle"));
            let mut body = Vec::new();
            let read = wire.body(head.length, |data| body.extend_from_slice(data)).await.unwrap();
            assert_eq!((read, body.as_slice()), (3, b"abc".as_slice()));
            let head = wire.request().await.unwrap().unwrap();
            assert_eq!((head.target.as_str(), head.length), ("/b", Length::Chunked));
            assert!(wire.body(head.length, |_| ()).await.is_err(), "an extension is not read");
        };
        tokio::join!(writing, reading);
    }

    #[tokio::test]
    async fn an_interim_answer_is_no_answer() {
        let (mut server, client) = tokio::io::duplex(256);
        server
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(Wire::new(client).answer().await.unwrap().status, 204);
    }
}
