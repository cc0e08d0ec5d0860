//! Where the requests on an HTTP/1 connection begin and end, read so strictly that no other reader
//! can read them otherwise (RFC 9112): what could be read in two ways is a fault.
//!
//! It stands in front of the HTTP library, which repairs or forgives some of it, and sees the bytes
//! as they come. A head's size it does not limit: that is the library's to do.

mod body;
mod bytes;
mod field;
mod head;
#[cfg(test)]
mod tests;

use field::{Field, Name, Said, Value};

pub use body::{EXTENSIONS_LIMIT, TRAILERS_LIMIT};

/// The first byte of a connection that makes it readable in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands in the bytes that were given.
    pub at: usize,
    /// In which part of a message.
    pub part: Part,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The request line and the fields, with what stands before them.
    Head,
    /// The body with its chunks and trailers.
    Body,
}

/// Reads what a client sends on one connection.
#[derive(Debug)]
pub struct Framing {
    state: State,
    message: Message,
    name: Name,
}

/// What is known of the message that is being read.
#[derive(Debug, Default)]
struct Message {
    /// An empty line stood before it.
    empty_line: bool,
    before_1_1: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    upgrade_announced: bool,
    /// How many bytes of chunk extensions came.
    extensions: usize,
    /// How many bytes of trailers came, once they have begun.
    trailers: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a request line.
    Start,
    Method,
    /// At the target; whether some of it is there.
    Target(bool),
    /// At the version; how many bytes of it are there.
    Version(usize),
    /// The line must end here.
    Cr(Line),
    /// Its CR is there.
    Lf(Line),
    /// At the beginning of a field's line, or of the empty one.
    FieldLine,
    Name,
    Value(Value),
    /// So many bytes of a body with a length are to come.
    Length(u64),
    /// At a chunk's size; so many digits, and what they say.
    Size(u8, u64),
    /// Behind a chunk's size.
    Extension(u64),
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// Behind a request that asks for an upgrade.
    Unjudged,
    /// Behind a fault.
    Faulty,
}

/// A line, by what ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Request,
    Field,
    Fields,
    Size(u64),
    Chunk,
}

impl Framing {
    /// At the beginning of a connection.
    pub fn new() -> Framing {
        Framing { state: State::Start, message: Message::default(), name: Name::default() }
    }

    /// Reads on. Behind a fault everything is one.
    ///
    /// What follows a request that asks for an upgrade is not judged, since it may be another
    /// protocol already: after an answer other than 101, nothing of it may be read as a request.
    ///
    /// # Errors
    /// The first byte that makes the connection readable in two ways.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match self.step(bytes, at, *byte).and_then(|next| self.bounded(at, next)) {
                Ok(next) => at = next,
                Err(at) => {
                    let part = self.part();
                    self.state = State::Faulty;
                    return Err(Fault { at, part });
                }
            }
        }
        Ok(())
    }

    /// Whether nothing of another message has come.
    pub fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Start | State::Unjudged)
    }

    /// The part of a message that comes next.
    pub fn part(&self) -> Part {
        match self.state {
            State::Length(_) | State::Size(..) | State::Extension(_) | State::Chunk(_) => {
                Part::Body
            }
            State::Cr(Line::Chunk) | State::Lf(Line::Size(_) | Line::Chunk) => Part::Body,
            _ if self.message.trailers.is_some() => Part::Body,
            _ => Part::Head,
        }
    }

    /// Reads from `at` on as far as one state goes, and gives the place behind it, or a fault's.
    #[inline]
    fn step(&mut self, bytes: &[u8], at: usize, byte: u8) -> Result<usize, usize> {
        match self.state {
            State::Start => self.start(at, byte),
            State::Method => self.method(bytes, at),
            State::Target(begun) => self.target(bytes, at, begun),
            State::Version(read) => self.version(bytes, at, read),
            State::Cr(line) if byte == b'\r' => self.go(State::Lf(line), at + 1),
            State::Lf(line) if byte == b'\n' => self.end_line(line, at),
            State::Cr(_) | State::Lf(_) => Err(at),
            State::FieldLine if byte == b'\r' => self.go(State::Lf(Line::Fields), at + 1),
            State::FieldLine => match self.plain_fields(bytes, at) {
                next if next > at => Ok(next),
                _ => {
                    self.name.clear();
                    self.field_name(bytes, at)
                }
            },
            State::Name => self.field_name(bytes, at),
            State::Value(value) => self.field_value(bytes, at, value),
            State::Length(left) => self.content(bytes, at, left),
            State::Size(digits, size) => self.chunk_size(at, byte, digits, size),
            State::Extension(size) => self.extension(bytes, at, size),
            State::Chunk(left) => self.chunk(bytes, at, left),
            State::Unjudged => Ok(bytes.len()),
            State::Faulty => Err(at),
        }
    }

    #[inline]
    fn go(&mut self, state: State, next: usize) -> Result<usize, usize> {
        self.state = state;
        Ok(next)
    }

    fn end_message(&mut self, next: usize) -> Result<usize, usize> {
        let Message { upgrade, upgrade_announced, .. } = std::mem::take(&mut self.message);
        match upgrade && upgrade_announced {
            true => self.go(State::Unjudged, next),
            false => self.go(State::Start, next),
        }
    }
}

impl Default for Framing {
    fn default() -> Framing {
        Framing::new()
    }
}

impl Message {
    /// Whether a field may stand here: the length is said once and in one way.
    fn admits(&mut self, field: Field) -> bool {
        let unsaid = self.length.is_none() && !self.chunked;
        match field {
            // Trailers say nothing of the message or its connection.
            Field::Other => true,
            _ if self.trailers.is_some() => false,
            Field::Length => unsaid,
            Field::Coding => unsaid && !self.before_1_1,
            Field::Upgrade => {
                self.upgrade = true;
                true
            }
            Field::Connection | Field::Host => true,
        }
    }

    /// Takes in what a field's whole value says; `None` where it says nothing.
    fn learn(&mut self, value: Value) -> Option<()> {
        match value.end()? {
            Said::Nothing => {}
            Said::Length(length) => self.length = Some(length),
            Said::Chunked => self.chunked = true,
            Said::Upgrade => self.upgrade_announced = true,
        }
        Some(())
    }
}
