//! Heads: the request line and the fields, and what follows a line of them.

use super::bytes::{Class, skip, skip_target, skip_text};
use super::field::{Field, Value};
use super::{Framing, Line, State};

const VERSION: &[u8] = b"HTTP/1.";
/// How nearly every request line ends.
const REST_OF_LINE: &[u8] = b"HTTP/1.1\r\n";

impl Framing {
    /// Before a request line: one empty line may stand there (RFC 9112, section 2.2).
    pub(super) fn start(&mut self, at: usize, byte: u8) -> Result<usize, usize> {
        match byte {
            b'\r' if !self.message.empty_line => self.go(State::Lf(Line::Nothing), at + 1),
            _ if Class::Token.has(byte) => self.go(State::Method, at),
            _ => Err(at),
        }
    }

    pub(super) fn method(&mut self, bytes: &[u8], at: usize) -> Result<usize, usize> {
        let end = skip(Class::Token, bytes, at);
        match bytes.get(end) {
            None => Ok(end),
            Some(b' ') => self.go(State::Target(false), end + 1),
            Some(_) => Err(end),
        }
    }

    pub(super) fn target(&mut self, bytes: &[u8], at: usize, begun: bool) -> Result<usize, usize> {
        let end = skip_target(bytes, at);
        let begun = begun || end > at;
        match bytes.get(end) {
            None => self.go(State::Target(begun), end),
            Some(b' ') if begun => self.go(State::Version(0), end + 1),
            Some(_) => Err(end),
        }
    }

    pub(super) fn version(&mut self, bytes: &[u8], at: usize, read: usize) -> Result<usize, usize> {
        if read == 0 && bytes.get(at..).is_some_and(|rest| rest.starts_with(REST_OF_LINE)) {
            return self.go(State::FieldLine, at + REST_OF_LINE.len());
        }
        match (VERSION.get(read), bytes.get(at)) {
            (Some(expected), Some(byte)) if expected == byte => {
                self.go(State::Version(read + 1), at + 1)
            }
            (None, Some(minor @ (b'0' | b'1'))) => {
                self.message.before_1_1 = *minor == b'0';
                self.go(State::Cr(Line::Request), at + 1)
            }
            _ => Err(at),
        }
    }

    /// Passes over whole lines of fields that say nothing here: most of a head, in one step.
    #[inline]
    pub(super) fn plain_fields(&self, bytes: &[u8], at: usize) -> usize {
        let mut at = at;
        // Trailers are counted step by step.
        while self.message.trailers.is_none() {
            let colon = skip(Class::Token, bytes, at);
            let name = bytes.get(at..colon).unwrap_or_default();
            if name.is_empty() || bytes.get(colon) != Some(&b':') || Field::named(name).speaks() {
                break;
            }
            let end = skip_text(bytes, colon + 1);
            match bytes.get(end..) {
                Some([b'\r', b'\n', ..]) => at = end + 2,
                _ => break,
            }
        }
        at
    }

    pub(super) fn field_name(&mut self, bytes: &[u8], at: usize) -> Result<usize, usize> {
        let end = skip(Class::Token, bytes, at);
        let read = bytes.get(at..end).unwrap_or_default();
        match bytes.get(end) {
            None => {
                self.name.push(read);
                self.go(State::Name, end)
            }
            Some(b':') => match self.name.whole(read).map(Field::named) {
                Some(field) if self.message.admits(field) => {
                    self.go(State::Value(Value::of(field)), end + 1)
                }
                _ => Err(end),
            },
            Some(_) => Err(end),
        }
    }

    pub(super) fn field_value(
        &mut self,
        bytes: &[u8],
        at: usize,
        value: Value,
    ) -> Result<usize, usize> {
        if value == Value::Any {
            let end = skip_text(bytes, at);
            return match bytes.get(end) {
                None => Ok(end),
                Some(b'\r') => self.go(State::Lf(Line::Field), end + 1),
                Some(_) => Err(end),
            };
        }
        let mut value = value;
        for (offset, byte) in bytes.get(at..).unwrap_or_default().iter().enumerate() {
            if *byte == b'\r' {
                self.message.learn(value).ok_or(at + offset)?;
                return self.go(State::Lf(Line::Field), at + offset + 1);
            }
            value = value.next(*byte).ok_or(at + offset)?;
        }
        self.go(State::Value(value), bytes.len())
    }

    pub(super) fn end_line(&mut self, line: Line, at: usize) -> Result<usize, usize> {
        let message = &mut self.message;
        let next = match line {
            Line::Nothing => {
                message.empty_line = true;
                State::Start
            }
            Line::Request | Line::Field => State::FieldLine,
            Line::Fields if message.trailers.is_some() => return self.end_message(at + 1),
            Line::Fields if message.chunked => State::Size(0, 0),
            Line::Fields => match message.length {
                None | Some(0) => return self.end_message(at + 1),
                Some(length) => State::Length(length),
            },
            Line::Size(0) => {
                message.trailers = Some(0);
                State::FieldLine
            }
            Line::Size(size) => State::Chunk(size),
            Line::Chunk => State::Size(0, 0),
        };
        self.go(next, at + 1)
    }
}
