//! Where the requests on a connection end: the same in any pieces, where a reader that takes only what has one reading
//! finds it, and where the parser in the HTTP library finds it too.

use httparse::Status;
use modegate_filters::framing::{Fault, Framing, Part};

use crate::http1;
use crate::input::Input;

/// What a client writes, in pieces.
pub fn framing(data: &[u8]) {
    let pieces = Input::new(data).chunks();
    let bytes = pieces.concat();
    let mut framing = Framing::new();
    let mut at = 0;
    let cut = pieces.iter().try_for_each(|piece| {
        let read = framing.read(piece).map_err(|fault| Fault { at: at + fault.at, ..fault });
        at += piece.len();
        read
    });
    let mut whole = Framing::new();
    assert_eq!(cut, whole.read(&bytes), "{}", bytes.escape_ascii());
    let stands = |framing: &Framing| (framing.is_between_messages(), framing.part());
    assert!(cut.is_err() || stands(&framing) == stands(&whole), "{}", bytes.escape_ascii());
    assert!(cut.is_ok() || framing.read(b"GET").is_err(), "{}", bytes.escape_ascii());

    if http1::requests(&bytes).is_some() {
        assert_eq!((cut, stands(&whole)), (Ok(()), (true, Part::Head)), "{}", bytes.escape_ascii());
    }
    let mut begin = 0;
    for end in ends(&bytes) {
        let message = &bytes[begin..end];
        let length = parsed(&bytes[begin..]);
        assert_eq!(length, Some(message.len()), "{}", message.escape_ascii());
        begin = end;
    }
}

/// The places behind each message that is whole and without a fault, up to one that asks for an upgrade.
pub fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut framing = Framing::new();
    let (mut ends, mut begin, mut was_between) = (Vec::new(), 0, true);
    for (at, byte) in bytes.iter().enumerate() {
        let between = framing.read(&[*byte]).is_ok() && framing.is_between_messages();
        if between && was_between {
            // Every byte begins something, but behind an upgrade.
            break;
        }
        // An empty line may stand before a message.
        if between && bytes[begin..=at] != *b"\r\n" {
            begin = at + 1;
            ends.push(begin);
        }
        was_between = between;
    }
    ends
}

/// The length of the request that these bytes begin with, by the parser in the HTTP library.
fn parsed(bytes: &[u8]) -> Option<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 1024];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(Status::Complete(mut at)) = request.parse(bytes) else { return None };
    let field = |name| request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    if field("transfer-encoding").is_some() {
        loop {
            let rest = bytes.get(at..)?;
            let Ok(Status::Complete((line, size))) = httparse::parse_chunk_size(rest) else {
                return None;
            };
            at += line;
            if size == 0 {
                break;
            }
            at = at.checked_add(usize::try_from(size).ok()?)?.checked_add(2)?;
        }
        let mut trailers = [httparse::EMPTY_HEADER; 1024];
        let read = httparse::parse_headers(bytes.get(at..)?, &mut trailers);
        let Ok(Status::Complete((length, _))) = read else { return None };
        at += length;
    } else if let Some(length) = field("content-length") {
        at += std::str::from_utf8(length.value).ok()?.trim().parse::<usize>().ok()?;
    }
    (at <= bytes.len()).then_some(at)
}
