//! A client of HTTP/2 that writes the frames it is told to, well-formed or not, and reads what
//! comes back frame by frame.

use std::collections::HashMap;

use super::frame::{self, Frame};
use super::hpack::{Decoder, Field, block};
use super::stream::{Address, Io, Reset, connect};
use super::wire::Wire;
use super::within;

/// An answer on a stream.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The fields, without the status.
    pub fields: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<Field>,
    /// Whether it ended as it should.
    pub ended: Ended,
    /// The code of a RST_STREAM that came after its end.
    pub late: Option<u32>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// Not yet.
    #[default]
    Not,
    /// With its end.
    Clean,
    /// With RST_STREAM and this code.
    Reset(u32),
    /// With the connection, after GOAWAY with this code or without one.
    Connection(Option<u32>),
}

impl Answered {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The only value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        only(&self.fields, name)
    }
}

/// The only value of a field; two are one too many.
pub fn only<'f>(fields: &'f [Field], name: &str) -> Option<&'f str> {
    let mut values = fields.iter().filter(|(field, _)| field == name).map(|(_, value)| &**value);
    let value = values.next();
    assert!(values.next().is_none(), "{name} occurs more than once: {fields:?}");
    value
}

/// A connection to the process under test.
pub struct H2 {
    wire: Wire,
    decoder: Decoder,
    /// What came of each stream.
    streams: HashMap<u32, Answered>,
    next: u32,
    /// What may still be sent, of each stream and (0) of all, beside what they begin with.
    room: HashMap<u32, i64>,
    went_away: Option<u32>,
    /// The settings that the other side began with.
    pub settings: Option<Frame>,
    /// Gives back the room that what was read had taken.
    pub generous: bool,
}

/// A GET's fields.
pub fn get(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "client.example")]
}

/// A POST's fields.
pub fn post(path: &str) -> Vec<(&str, &str)> {
    let mut fields = get(path);
    fields[0].1 = "POST";
    fields.push(("content-type", "application/json"));
    fields
}

impl H2 {
    /// Connects in clear, and has said preface and settings.
    pub async fn connect(address: &Address) -> H2 {
        H2::connect_with(address, &[]).await
    }

    /// Connects in clear, with settings.
    pub async fn connect_with(address: &Address, settings: &[(u16, u32)]) -> H2 {
        let mut h2 = H2::bare(address).await;
        h2.write([frame::PREFACE, &Frame::settings(settings).bytes()].concat()).await;
        h2
    }

    /// Says preface and settings.
    pub async fn begin(&mut self) {
        self.write([frame::PREFACE, &Frame::settings(&[]).bytes()].concat()).await;
    }

    /// Connects in clear, and has said nothing yet.
    pub async fn bare(address: &Address) -> H2 {
        let connected = within("a connection", connect(address)).await;
        H2::over(connected.unwrap_or_else(|error| panic!("{address}: {error}")))
    }

    /// On a stream, nothing said yet.
    pub fn over(stream: (Box<dyn Io>, Reset)) -> H2 {
        H2 {
            wire: Wire::new(stream),
            decoder: Decoder::default(),
            streams: HashMap::new(),
            next: 1,
            room: HashMap::new(),
            went_away: None,
            settings: None,
            generous: true,
        }
    }

    /// Writes bytes; a connection that is gone takes them, too.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("a write", self.wire.write(bytes.as_ref())).await;
    }

    /// Writes bytes; false where the connection is gone, or the peer does not take them.
    pub async fn offer(&mut self, bytes: &[u8], patience: std::time::Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.wire.write(bytes)).await, Ok(Ok(())))
    }

    /// Writes a frame.
    pub async fn send(&mut self, frame: Frame) {
        self.write(frame.bytes()).await;
    }

    /// The id of a stream of its own.
    pub fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Opens a stream with a head; more is to come of the request.
    pub async fn open(&mut self, fields: &[(&str, &str)]) -> u32 {
        let stream = self.stream();
        self.send(Frame::headers(stream, block(fields), 0)).await;
        stream
    }

    /// Opens a stream with a head that is all of the request.
    pub async fn ask(&mut self, fields: &[(&str, &str)]) -> u32 {
        let stream = self.stream();
        self.send(Frame::headers(stream, block(fields), frame::END_STREAM)).await;
        stream
    }

    /// A request with a body that fits one frame.
    pub async fn say(&mut self, fields: &[(&str, &str)], body: impl Into<Vec<u8>>) -> u32 {
        let stream = self.open(fields).await;
        self.send(Frame::data(stream, body, frame::END_STREAM)).await;
        stream
    }

    /// Sends a body as far as the windows let it, reading meanwhile, until it is whole or an answer
    /// is; gives how much was sent.
    pub async fn upload(&mut self, stream: u32, body: &[u8]) -> usize {
        let mut sent = 0;
        while sent < body.len() && self.so_far(stream).ended == Ended::Not {
            match self.send_piece(stream, &body[sent..]).await {
                0 => {
                    if self.frame().await.is_none() {
                        break;
                    }
                }
                next => sent += next,
            }
        }
        sent
    }

    /// Sends as much of the rest of a body as the windows take now and a frame holds; gives how
    /// much that is.
    pub async fn send_piece(&mut self, stream: u32, rest: &[u8]) -> usize {
        // The windows are known once the settings are.
        let Some(settings) = &self.settings else { return 0 };
        let begin = settings.setting(frame::INITIAL_WINDOW_SIZE).unwrap_or(65_535);
        let room = |of| self.room.get(&of).copied().unwrap_or_default();
        let room = (i64::from(begin) + room(stream)).min(65_535 + room(0)).min(16_384);
        let next = rest.len().min(usize::try_from(room).unwrap_or_default());
        if next > 0 {
            let end = if next == rest.len() { frame::END_STREAM } else { 0 };
            self.send(Frame::data(stream, &rest[..next], end)).await;
            for of in [0, stream] {
                *self.room.entry(of).or_default() -= next as i64;
            }
        }
        next
    }

    /// A request with a body that fits one frame, and its answer.
    pub async fn exchange(
        &mut self,
        fields: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answered {
        let stream = self.say(fields, body).await;
        self.answer(stream).await
    }

    /// The next frame as it comes; `None` at the connection's end.
    pub async fn frame(&mut self) -> Option<Frame> {
        within("a frame", self.read()).await
    }

    async fn read(&mut self) -> Option<Frame> {
        let read = Frame::read(&mut self.wire).await?;
        match read.kind {
            frame::SETTINGS if !read.has(frame::ACK) => {
                self.settings.get_or_insert(read.clone());
                let _ =
                    self.wire.write(&Frame::new(frame::SETTINGS, frame::ACK, 0, []).bytes()).await;
            }
            frame::PING if !read.has(frame::ACK) => {
                let pong = Frame::new(frame::PING, frame::ACK, 0, read.payload.clone());
                let _ = self.wire.write(&pong.bytes()).await;
            }
            frame::DATA if self.generous && !read.payload.is_empty() => {
                let more = read.payload.len() as u32;
                let on = |stream| Frame::window_update(stream, more).bytes();
                let _ = self.wire.write(&[on(0), on(read.stream)].concat()).await;
            }
            frame::GOAWAY => self.went_away = Some(read.number(4)),
            _ => {}
        }
        self.note(&read);
        Some(read)
    }

    fn note(&mut self, read: &Frame) {
        if read.kind == frame::WINDOW_UPDATE {
            *self.room.entry(read.stream).or_default() += i64::from(read.number(0));
        }
        if read.stream == 0 {
            return;
        }
        let answered = self.streams.entry(read.stream).or_default();
        match read.kind {
            frame::HEADERS => {
                assert!(read.has(frame::END_HEADERS), "an answer's head in one frame: {read:?}");
                let mut fields = self.decoder.fields(&read.payload);
                match fields.iter().position(|(name, _)| name == ":status") {
                    Some(at) => {
                        answered.status = fields.remove(at).1.parse().expect("a status");
                        answered.fields = fields;
                    }
                    None => answered.trailers = fields,
                }
            }
            frame::DATA => answered.body.extend(&read.payload),
            // Where the whole answer is there, NO_ERROR says that no more is wanted.
            frame::RST_STREAM if answered.ended == Ended::Not => {
                answered.ended = Ended::Reset(read.number(0));
            }
            frame::RST_STREAM => answered.late = Some(read.number(0)),
            _ => {}
        }
        let ends = matches!(read.kind, frame::HEADERS | frame::DATA) && read.has(frame::END_STREAM);
        if ends {
            answered.ended = Ended::Clean;
        }
    }

    /// What has come of a stream so far.
    pub fn so_far(&self, stream: u32) -> Answered {
        self.streams.get(&stream).cloned().unwrap_or_default()
    }

    /// Reads until a stream is over.
    pub async fn answer(&mut self, stream: u32) -> Answered {
        self.until(stream, |answered| answered.ended != Ended::Not).await
    }

    /// Reads until enough has come of a stream, or all of it.
    pub async fn until(&mut self, stream: u32, enough: impl Fn(&Answered) -> bool) -> Answered {
        loop {
            let answered = self.so_far(stream);
            if enough(&answered) || answered.ended != Ended::Not {
                return answered;
            }
            if self.frame().await.is_none() {
                let ended = Ended::Connection(self.went_away);
                return Answered { ended, ..self.so_far(stream) };
            }
        }
    }

    /// Reads until the connection is told to end, or ends; the code it was told. It has no
    /// deadline of its own.
    pub async fn told_to_go(&mut self) -> Option<u32> {
        while self.went_away.is_none() && self.read().await.is_some() {}
        self.went_away
    }

    /// Reads until the connection is told to end, or ends; the code it was told.
    pub async fn ended(&mut self) -> Option<u32> {
        within("the connection to be told to end", self.told_to_go()).await
    }

    /// Reads to the connection's end; the code of the last GOAWAY.
    pub async fn closed(&mut self) -> Option<u32> {
        within("the connection's end", async { while self.read().await.is_some() {} }).await;
        self.went_away
    }

    /// Sends a ping and reads up to its answer: whatever was sent before was looked at. `None`
    /// where the connection ends first.
    pub async fn ping(&mut self) -> Option<()> {
        self.send(Frame::ping(*b"are you?")).await;
        loop {
            let frame = self.frame().await?;
            if frame.kind == frame::PING && frame.has(frame::ACK) && frame.payload == b"are you?" {
                return Some(());
            }
        }
    }

    /// Closes the connection with a reset.
    pub fn reset(self) {
        self.wire.reset();
    }

    /// Closes the writing half.
    pub async fn finish(&mut self) {
        let _ = self.wire.finish().await;
    }
}
