use bytes::Bytes;

use super::{EVENT_LIMIT, Event, EventReader};

fn read(chunks: &[&[u8]]) -> Vec<Event> {
    let mut reader = EventReader::new();
    let mut events = Vec::new();
    for chunk in chunks {
        reader.read(&Bytes::copy_from_slice(chunk), |event| events.push(event));
        assert!(reader.held.len() <= EVENT_LIMIT);
    }
    events
}

fn pairs(events: &[Event]) -> Vec<(&str, &str)> {
    let word = |bytes| std::str::from_utf8(bytes).unwrap();
    events.iter().map(|event| (word(&event.name[..]), word(&event.data[..]))).collect()
}

struct Case {
    name: &'static str,
    stream: &'static str,
    events: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "nothing", stream: "", events: &[] },
    Case { name: "line feeds", stream: "event: a\ndata: 1\n\ndata: 2\n\n", events: &[("a", "1"), ("", "2")] },
    Case { name: "both breaks", stream: "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", events: &[("a", "1"), ("", "2")] },
    Case { name: "carriage returns", stream: "event: a\rdata: 1\r\rdata: 2\r\r", events: &[("a", "1"), ("", "2")] },
    Case { name: "breaks of all kinds", stream: "event: a\rdata: 1\n\r\ndata: 2\r\n\ndata: 3\r\n\rdata: 4\n\r", events: &[("a", "1"), ("", "2"), ("", "3"), ("", "4")] },
    Case { name: "a line feed, then both", stream: "data: 1\n\r\n", events: &[("", "1")] },
    Case { name: "no space", stream: "event:a\ndata:1\n\n", events: &[("a", "1")] },
    Case { name: "two spaces", stream: "data:  1\n\n", events: &[("", " 1")] },
    Case { name: "a tab", stream: "data:\t1\n\n", events: &[("", "\t1")] },
    Case { name: "a space before the colon", stream: "data : 1\n\n", events: &[] },
    Case { name: "another case", stream: "Data: 1\n\n", events: &[] },
    Case { name: "colons in the value", stream: "data: a:b: c\n\n", events: &[("", "a:b: c")] },
    Case { name: "several lines", stream: "data: 1\ndata:\ndata: 2\n\n", events: &[("", "1\n\n2")] },
    Case { name: "several empty lines", stream: "data:\ndata\n\n", events: &[("", "\n")] },
    Case { name: "empty", stream: "data:\n\ndata\n\n", events: &[("", ""), ("", "")] },
    Case { name: "without data", stream: "event: done\n\ndata: 1\n\n", events: &[("", "1")] },
    Case { name: "a comment", stream: ": heartbeat\n\n:\n\ndata: 1\n: between\n\n", events: &[("", "1")] },
    Case { name: "other fields", stream: "id: 7\nretry: 5\nother: x\ndata: 1\n\n", events: &[("", "1")] },
    Case { name: "the last name counts", stream: "event: a\ndata: 1\nevent: b\n\n", events: &[("b", "1")] },
    Case { name: "blank lines between", stream: "\n\n\ndata: 1\n\n\n\ndata: 2\n\n", events: &[("", "1"), ("", "2")] },
    Case { name: "a mark", stream: "\u{FEFF}data: 1\n\ndata: 2\n\n", events: &[("", "1"), ("", "2")] },
    Case { name: "a mark on a line", stream: "\u{FEFF}\r\ndata: 1\r\n\r\n", events: &[("", "1")] },
    Case { name: "two marks", stream: "\u{FEFF}\u{FEFF}data: 1\n\n", events: &[] },
    Case { name: "a mark later", stream: "\n\u{FEFF}data: 1\n\n", events: &[] },
    Case { name: "no blank line", stream: "data: 1\n\ndata: 2\n", events: &[("", "1")] },
    Case { name: "no break at all", stream: "data: 1\n\ndata: 2", events: &[("", "1")] },
    Case { name: "anything", stream: "hello\n\n{}\n\n::\n\n \n\n", events: &[] },
];

#[test]
fn events_as_clients_read_them_however_they_are_cut() {
    for Case { name, stream, events } in CASES {
        let stream = stream.as_bytes();
        assert_eq!(pairs(&read(&[stream])), *events, "{name}");
        for at in 0..=stream.len() {
            let (left, right) = stream.split_at(at);
            assert_eq!(pairs(&read(&[left, b"", right])), *events, "{name} at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(pairs(&read(&bytes)), *events, "{name} byte by byte");
    }
}

#[test]
fn what_is_too_long_is_an_event_of_which_the_beginning_is_read() {
    let head = "event: chunk\ndata: ";
    for (over, cut) in [(0, false), (1, true), (3 * EVENT_LIMIT, true)] {
        // The limit is that of all bytes before the blank line.
        let long = "x".repeat(EVENT_LIMIT - head.len() - 1 + over);
        let stream = format!("{head}{long}\n\ndata: 2\n\n");
        for size in [1, 1000, EVENT_LIMIT, stream.len()] {
            let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            let events = read(&chunks);
            assert_eq!((events[0].cut, events[1].cut), (cut, false), "{over} {size}");
            assert_eq!(events[0].name, "chunk");
            let kept = long.len().min(EVENT_LIMIT - head.len());
            assert_eq!(events[0].data.len(), kept, "{over} {size}");
            assert_eq!(pairs(&events[1..]), [("", "2")]);
        }
    }
    let comment = format!(":{}\n\n", "x".repeat(EVENT_LIMIT));
    assert!(read(&[comment.as_bytes()])[0].cut);
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    for chunk in ["event: a\ndata: 1\n\n", "event: a\rdata: 1\r\r", "event: a\r\ndata: 1\r\n\r\n"] {
        let chunk = Bytes::from_static(chunk.as_bytes());
        let mut reader = EventReader::new();
        let mut events = 0;
        for _ in 0..3 {
            reader.read(&chunk, |event| {
                events += 1;
                assert!(chunk.as_ptr_range().contains(&event.name.as_ptr()), "{chunk:?}");
                assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()), "{chunk:?}");
            });
        }
        assert_eq!(events, 3, "{chunk:?}");
    }
}
