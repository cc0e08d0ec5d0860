//! Reads server-sent events from chunks as they pass, as browsers and the servers' own clients read them. The chunks
//! themselves are neither held back nor changed; what an event means is for [`crate::stream`].

use std::mem;

use bytes::Bytes;

/// The most of an event that is read, in bytes with its names, line breaks and comments.
pub const EVENT_LIMIT: usize = 64 * 1024;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event that the client has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its `event:`; empty where it has none.
    pub name: Bytes,
    /// Its `data:`, several lines joined by line feeds.
    pub data: Bytes,
    /// Whether it is over [`EVENT_LIMIT`]: name and data are then those of its beginning.
    pub cut: bool,
}

/// A reader of one stream. Where the chunks end makes no difference to the events that it reads, and it holds no more
/// than the beginning of one event.
#[derive(Debug)]
pub struct EventReader {
    /// What earlier chunks held of the event that is not over yet.
    held: Vec<u8>,
    /// How much they held of it, what is not kept included.
    length: usize,
    /// Whether the next byte begins a line.
    line_start: bool,
    /// Whether the last byte was a carriage return: a line feed after it breaks no other line.
    after_return: bool,
    /// Whether no event was over yet: a byte order mark may stand before the first.
    first: bool,
}

impl EventReader {
    /// A reader at the first byte of a stream.
    pub fn new() -> EventReader {
        EventReader {
            held: Vec::new(),
            length: 0,
            line_start: true,
            after_return: false,
            first: true,
        }
    }

    /// Reads the next chunk, and gives each event that is over in it to `each`.
    ///
    /// What has no `data:`, a comment for one, is no event, and neither is what the stream's end leaves without its
    /// blank line: no client sees them.
    pub fn read(&mut self, chunk: &Bytes, mut each: impl FnMut(Event)) {
        let mut from = 0;
        let mut at = 0;
        while let Some((to, byte)) = line_break(chunk, at) {
            let adjacent = to == at;
            let second_half = adjacent && self.after_return && byte == b'\n';
            let blank = adjacent && self.line_start;
            at = to + 1;
            self.line_start = true;
            self.after_return = byte == b'\r';
            if second_half {
                if self.length == 0 && from == to {
                    from = at;
                }
            } else if blank {
                let event = self.complete(chunk.slice(from..to));
                event.into_iter().for_each(&mut each);
                from = at;
            }
        }
        if at < chunk.len() {
            self.line_start = false;
            self.after_return = false;
        }
        self.hold(chunk.get(from..).unwrap_or(&[]));
    }

    /// The event that is over with these bytes.
    fn complete(&mut self, last: Bytes) -> Option<Event> {
        let length = self.length.saturating_add(last.len());
        let mut bytes = if self.length == 0 {
            last.slice(..length.min(EVENT_LIMIT))
        } else {
            self.hold(&last);
            Bytes::from(mem::take(&mut self.held))
        };
        self.length = 0;
        if mem::take(&mut self.first) && bytes.starts_with(MARK) {
            bytes = bytes.slice(MARK.len()..);
        }
        event(&bytes, length > EVENT_LIMIT)
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = EVENT_LIMIT.saturating_sub(self.held.len()).min(bytes.len());
        self.held.extend_from_slice(bytes.get(..room).unwrap_or(&[]));
        self.length = self.length.saturating_add(bytes.len());
    }
}

impl Default for EventReader {
    fn default() -> EventReader {
        EventReader::new()
    }
}

/// The first line break that is not before `from`, and its byte.
fn line_break(chunk: &[u8], from: usize) -> Option<(usize, u8)> {
    let rest = chunk.get(from..)?;
    let at = memchr::memchr2(b'\n', b'\r', rest)?;
    rest.get(at).map(|byte| (from + at, *byte))
}

/// What the lines of an event say. The two halves of CRLF are split like two breaks: an empty line says nothing.
fn event(bytes: &Bytes, cut: bool) -> Option<Event> {
    let mut name = Bytes::new();
    let mut data: Option<Bytes> = None;
    let mut joined = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let to = line_break(bytes, from).map_or(bytes.len(), |(to, _)| to);
        let line = bytes.get(from..to).unwrap_or(&[]);
        from = to + 1;
        match field(line) {
            (b"event", value) => name = bytes.slice_ref(value),
            (b"data", value) => match &data {
                None => data = Some(bytes.slice_ref(value)),
                Some(first) => {
                    if joined.is_empty() {
                        joined.extend_from_slice(first);
                    }
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            },
            _ => {}
        }
    }
    if !joined.is_empty() {
        data = Some(Bytes::from(joined));
    }
    if cut {
        data.get_or_insert_default();
    }
    data.map(|data| Event { name, data, cut })
}

/// A line's name and value. One space after the colon is not the value's; a line without a colon is all name.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return (line, &[]) };
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or(&[]);
    (name, value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests;
