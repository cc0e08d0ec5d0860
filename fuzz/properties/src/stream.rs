//! How a streamed answer is read, against a simple reader of server-sent events: any chunks are the whole, no more of an
//! event is read than the bound, and what is said of the stream agrees with itself.

use std::sync::LazyLock;

use bytes::Bytes;
use modegate_filters::answers::Answers;
use modegate_filters::contract::Modes;
use modegate_filters::dialect::Dialect;
use modegate_filters::events::{EVENT_LIMIT, Event, EventReader};
use modegate_filters::stream::{Ending, Observer, Seen, Style};

use crate::input::Input;

/// What stands for a run in an input, since an event too long to read is longer than inputs are.
const RUN: u8 = b'~';
const RUN_LENGTH: usize = 30_000;
const MOST_RUNS: usize = 8;

static ANSWERS: LazyLock<Answers> = LazyLock::new(|| Answers::new("processing"));
static MODES: LazyLock<Modes> = LazyLock::new(|| {
    Modes::new(["default".to_owned(), "fast".to_owned()]).expect("a list of modes")
});

/// A stream, cut into chunks; each `~` stands for a long run.
pub fn stream(data: &[u8]) {
    let mut input = Input::new(data);
    let dialect = input.one_of(&Dialect::ALL);
    let route = input.one_of(&["/api/chat", "/api/chat/stream"]);
    let chunks: Vec<Bytes> = lengthen(&input.chunks());
    let whole = [Bytes::from(chunks.concat())];

    let events = read(&whole);
    assert_eq!(read(&chunks), events, "{}", shown(&whole));
    assert_eq!(events.len(), reference(&whole[0]).len(), "{}", shown(&whole));
    for (ours, theirs) in events.iter().zip(reference(&whole[0])) {
        assert_eq!(ours.cut, theirs.length > EVENT_LIMIT, "{}", shown(&whole));
        assert!(ours.name.len() + ours.data.len() <= EVENT_LIMIT);
        if !ours.cut {
            let ours = (&ours.name[..], &ours.data[..]);
            let joined = theirs.data.join(&b'\n');
            assert_eq!(ours, (&theirs.name[..], &joined[..]), "{}", shown(&whole));
        }
    }

    let (seen, style, ending) = observe(dialect, route, &whole);
    assert_eq!(
        observe(dialect, route, &chunks),
        (seen.clone(), style, ending),
        "{}",
        shown(&whole)
    );
    assert_eq!(seen.events, events.len());
    assert!(!seen.content || seen.events > 0);
    assert!(style != Style::ALegacy || route == "/api/chat");
    match ending {
        Ending::Done => assert!(seen.content, "{}", shown(&whole)),
        Ending::Empty => assert!(!seen.content, "{}", shown(&whole)),
        Ending::Error | Ending::Truncated => {}
        Ending::Aborted => panic!("only the caller knows that the client went"),
    }
    if let Some(id) = seen.acknowledged.id {
        assert!((1..=3 * 256).contains(&id.len()), "{id:?}");
    }
    let _ = ANSWERS.read(&MODES, &chunks);
}

fn read(chunks: &[Bytes]) -> Vec<Event> {
    let mut reader = EventReader::new();
    let mut events = Vec::new();
    chunks.iter().for_each(|chunk| reader.read(chunk, |event| events.push(event)));
    events
}

fn observe(dialect: Dialect, route: &str, chunks: &[Bytes]) -> (Seen, Style, Ending) {
    let mut observer = Observer::new(dialect, route);
    let mut all = Seen::default();
    for chunk in chunks {
        let seen = observer.see(chunk, &ANSWERS, &MODES);
        all.events += seen.events;
        all.content |= seen.content;
        all.acknowledged.add(seen.acknowledged);
    }
    (all, observer.style(), observer.ending())
}

fn lengthen(chunks: &[Bytes]) -> Vec<Bytes> {
    let mut runs = 0;
    let mut longer = |byte: &u8| {
        runs += usize::from(*byte == RUN);
        let run = *byte == RUN && runs <= MOST_RUNS;
        vec![*byte; if run { RUN_LENGTH } else { 1 }]
    };
    chunks.iter().map(|chunk| chunk.iter().flat_map(&mut longer).collect()).collect()
}

/// An event as the simple reader reads it.
#[derive(Default)]
struct Reference {
    name: Vec<u8>,
    data: Vec<Vec<u8>>,
    length: usize,
}

/// The events of a whole stream, line by line as the HTML standard interprets it.
fn reference(stream: &[u8]) -> Vec<Reference> {
    let mut events = Vec::new();
    let mut event = Reference::default();
    let mut rest = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    event.length = stream.len() - rest.len();
    while let Some(end) = rest.iter().position(|byte| b"\r\n".contains(byte)) {
        let line = &rest[..end];
        let width = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
        if line.is_empty() {
            if !event.data.is_empty() || event.length > EVENT_LIMIT {
                events.push(event);
            }
            event = Reference::default();
            continue;
        }
        event.length += end + width;
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
        let value = value.strip_prefix(b" ").unwrap_or(value).to_vec();
        match name {
            b"event" => event.name = value,
            b"data" => event.data.push(value),
            _ => {}
        }
    }
    events
}

fn shown(whole: &[Bytes; 1]) -> String {
    whole[0][..whole[0].len().min(4096)].escape_ascii().to_string()
}
