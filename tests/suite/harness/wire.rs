//! HTTP/1.1 as bytes: heads and bodies read from a stream by a reader of our own, so that what
//! the process under test sends is not judged by the library it is made of.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::stream::{Io, Reset};

/// A message's head: its first line and its fields, in order and as spelled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The request or status line.
    pub line: String,
    /// The fields.
    pub fields: Vec<(String, String)>,
    /// The bytes, with the empty line.
    pub raw: Vec<u8>,
}

impl Head {
    /// Every value of a field, by its name in any case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }

    /// The only value of a field; two are one too many.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} occurs more than once: {:?}", self.fields);
        values.first().copied()
    }

    /// One of the three parts of the first line.
    pub fn part(&self, at: usize) -> &str {
        self.line.splitn(3, ' ').nth(at).unwrap_or_default()
    }

    fn parse(raw: Vec<u8>) -> Head {
        let text: String = raw.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        });
        Head { line, fields: fields.collect(), raw }
    }

    /// How the body that follows is delimited; `open` is what it is without a length.
    pub fn framing(&self, open: Framing) -> Framing {
        let coded = self.all("transfer-encoding").join(",");
        if coded.to_ascii_lowercase().ends_with("chunked") {
            return Framing::Chunked;
        }
        match self.field("content-length") {
            Some(length) => Framing::Length(length.parse().expect("a Content-Length")),
            None => open,
        }
    }
}

/// How a body is delimited, and what is still to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(usize),
    /// Chunks.
    Chunked,
    /// Until the connection closes.
    UntilClose,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where its framing says.
    Clean,
    /// With the connection, and nothing says that it should not.
    Closed,
    /// Before its end.
    Cut,
}

/// What comes next of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some bytes: a whole chunk, or what one read gave.
    Data(Vec<u8>),
    /// The end, with the trailers.
    End(End, Vec<(String, String)>),
}

/// How much may have been taken before what is left moves to the front.
const COMPACT: usize = 1024 * 1024;

/// A connection, read message by message.
pub struct Wire {
    reader: ReadHalf<Box<dyn Io>>,
    writer: Option<WriteHalf<Box<dyn Io>>>,
    buffer: Vec<u8>,
    start: usize,
    reset: Reset,
    /// Every byte that came.
    pub received: usize,
    /// What the last read failed with.
    pub failed: Option<io::ErrorKind>,
}

impl Wire {
    /// A connection.
    pub fn new((io, reset): (Box<dyn Io>, Reset)) -> Wire {
        let (reader, writer) = tokio::io::split(io);
        let (writer, buffer) = (Some(writer), Vec::new());
        Wire { reader, writer, buffer, start: 0, reset, received: 0, failed: None }
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.reset.arm();
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Err(io::ErrorKind::BrokenPipe.into()) };
        writer.write_all(bytes).await?;
        writer.flush().await
    }

    /// Says that nothing more will be written.
    pub async fn finish(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Some(writer) => writer.shutdown().await,
            None => Ok(()),
        }
    }

    /// Writes in a task of its own, so that an answer can be read meanwhile.
    pub fn write_aside(
        &mut self,
        bytes: Vec<u8>,
    ) -> tokio::task::JoinHandle<WriteHalf<Box<dyn Io>>> {
        let mut writer = self.writer.take().expect("nothing else writes");
        tokio::spawn(async move {
            // The peer may well stop reading: what matters is what it answers.
            let _ = writer.write_all(&bytes).await;
            let _ = writer.flush().await;
            writer
        })
    }

    /// Takes the writing half back.
    pub fn write_again(&mut self, writer: WriteHalf<Box<dyn Io>>) {
        self.writer = Some(writer);
    }

    /// Reads more; false at the end. A reset is an end too.
    pub async fn fill(&mut self) -> bool {
        if self.start > COMPACT {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let before = self.buffer.len();
        self.buffer.reserve(64 * 1024);
        let read = self.reader.read_buf(&mut self.buffer).await;
        let read = read.unwrap_or_else(|error| {
            self.failed = Some(error.kind());
            0
        });
        self.received += self.buffer.len() - before;
        read > 0
    }

    /// Waits until so many bytes are there to be taken; `None` where the connection ends first.
    pub async fn await_bytes(&mut self, length: usize) -> Option<()> {
        while self.unread().len() < length {
            if !self.fill().await {
                return None;
            }
        }
        Some(())
    }

    /// What was read and not taken yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Takes bytes that were read.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let bytes = self.buffer[self.start..self.start + length].to_vec();
        self.start += length;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        bytes
    }

    /// The next head; `None` where the connection ends before it.
    pub async fn head(&mut self) -> Option<Head> {
        loop {
            let found = self.unread().windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(at) = found {
                return Some(Head::parse(self.take(at + 4)));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// What comes next of a body.
    pub async fn piece(&mut self, framing: &mut Framing) -> Piece {
        let clean = Piece::End(End::Clean, Vec::new());
        let cut = Piece::End(End::Cut, Vec::new());
        match framing {
            Framing::None | Framing::Length(0) => clean,
            Framing::UntilClose => {
                if self.unread().is_empty() && !self.fill().await {
                    return Piece::End(End::Closed, Vec::new());
                }
                Piece::Data(self.take(self.unread().len()))
            }
            Framing::Length(left) => {
                if self.unread().is_empty() && !self.fill().await {
                    return cut;
                }
                let length = self.unread().len().min(*left);
                *left -= length;
                Piece::Data(self.take(length))
            }
            Framing::Chunked => self.chunk().await.unwrap_or(cut),
        }
    }

    async fn chunk(&mut self) -> Option<Piece> {
        let line = self.line().await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if size == 0 {
            let mut trailers = Vec::new();
            loop {
                let line = self.line().await?;
                let Some((name, value)) = line.split_once(':') else { break };
                trailers.push((name.to_owned(), value.trim().to_owned()));
            }
            return Some(Piece::End(End::Clean, trailers));
        }
        while self.unread().len() < size + 2 {
            if !self.fill().await {
                return None;
            }
        }
        let mut data = self.take(size + 2);
        assert!(data.ends_with(b"\r\n"), "a chunk ends in CRLF");
        data.truncate(size);
        Some(Piece::Data(data))
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            let found = self.unread().windows(2).position(|window| window == b"\r\n");
            if let Some(at) = found {
                let line = self.take(at + 2);
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }
}
