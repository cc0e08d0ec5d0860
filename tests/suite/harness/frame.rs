//! HTTP/2 frames by hand (RFC 9113, section 6).

use super::wire::Wire;

/// What a client sends first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 0x20;

pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;

pub const NO_ERROR: u32 = 0;
pub const PROTOCOL_ERROR: u32 = 1;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const COMPRESSION_ERROR: u32 = 9;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Any frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Frame {
        Frame { kind, flags, stream, payload: payload.into() }
    }

    /// A whole header block, and whether it is all there is of the message.
    pub fn headers(stream: u32, block: impl Into<Vec<u8>>, end: u8) -> Frame {
        Frame::new(HEADERS, END_HEADERS | end, stream, block)
    }

    /// Some of a body; `end` is [`END_STREAM`] or 0.
    pub fn data(stream: u32, data: impl Into<Vec<u8>>, end: u8) -> Frame {
        Frame::new(DATA, end, stream, data)
    }

    /// A priority of the old kind: 16, below `on`.
    pub fn priority(stream: u32, on: u32) -> Frame {
        Frame::new(PRIORITY, 0, stream, [&on.to_be_bytes()[..], &[15]].concat())
    }

    /// The end of a stream by an error.
    pub fn reset(stream: u32, code: u32) -> Frame {
        Frame::new(RST_STREAM, 0, stream, code.to_be_bytes())
    }

    /// Settings.
    pub fn settings(settings: &[(u16, u32)]) -> Frame {
        let payload = settings
            .iter()
            .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes()));
        Frame::new(SETTINGS, 0, 0, payload.collect::<Vec<_>>())
    }

    /// A ping.
    pub fn ping(payload: [u8; 8]) -> Frame {
        Frame::new(PING, 0, 0, payload)
    }

    /// The end of a connection, after the streams up to `last`.
    pub fn go_away(last: u32, code: u32) -> Frame {
        Frame::new(GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
    }

    /// Room for more.
    pub fn window_update(stream: u32, more: u32) -> Frame {
        Frame::new(WINDOW_UPDATE, 0, stream, more.to_be_bytes())
    }

    /// More of a header block; `end` is [`END_HEADERS`] or 0.
    pub fn continuation(stream: u32, block: impl Into<Vec<u8>>, end: u8) -> Frame {
        Frame::new(CONTINUATION, end, stream, block)
    }

    /// As it is written.
    pub fn bytes(&self) -> Vec<u8> {
        let length = (self.payload.len() as u32).to_be_bytes();
        let head = [length[1], length[2], length[3], self.kind, self.flags];
        [&head[..], &self.stream.to_be_bytes(), &self.payload].concat()
    }

    /// The next frame; `None` where the connection ends.
    pub async fn read(wire: &mut Wire) -> Option<Frame> {
        wire.await_bytes(9).await?;
        let head = wire.unread();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        wire.await_bytes(9 + length).await?;
        let bytes = wire.take(9 + length);
        let stream = u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]);
        Some(Frame::new(bytes[3], bytes[4], stream, &bytes[9..]))
    }

    /// Whether it has a flag.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// A number in it.
    pub fn number(&self, at: usize) -> u32 {
        let bytes = self.payload[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    }

    /// A setting in it.
    pub fn setting(&self, id: u16) -> Option<u32> {
        let of = |pair: &&[u8]| pair[..2] == id.to_be_bytes();
        let found = self.payload.chunks(6).find(of)?;
        Some(u32::from_be_bytes([found[2], found[3], found[4], found[5]]))
    }
}
