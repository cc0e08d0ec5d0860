//! The streams of real servers, as they were captured.

use std::str;

use super::{Ending, Style, observe, observe_cut};
use crate::dialect::Dialect;

const FRONTEND: &[u8] = include_bytes!("../../../../tests/captures/frontend.responses.txt");
const BRIDGE: &[u8] = include_bytes!("../../../../tests/captures/bridge.responses.txt");
const RUNTIME: &[u8] = include_bytes!("../../../../tests/captures/runtime.responses.txt");

/// The bodies of the answers that are streams, in the chunks that they came in.
fn streams(capture: &'static [u8]) -> Vec<Vec<&'static [u8]>> {
    let capture = str::from_utf8(capture).unwrap();
    let begun = capture.split("Content-Type: text/event-stream").skip(1);
    begun.map(|rest| chunks(rest.split_once("\r\n\r\n").unwrap().1)).collect()
}

fn chunks(mut body: &'static str) -> Vec<&'static [u8]> {
    let mut chunks = Vec::new();
    loop {
        let (size, rest) = body.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return chunks;
        }
        chunks.push(&rest.as_bytes()[..size]);
        body = &rest[size + 2..];
    }
}

#[test]
fn what_real_servers_streamed() {
    let legs = [
        (FRONTEND, Dialect::Conversation, "/api/conversations/:id/messages/stream", Style::A, 2),
        (BRIDGE, Dialect::Rpc, "/api/v1/:product/agents/:id/stream", Style::Cloud, 3),
        (RUNTIME, Dialect::Rpc, "/bridge/stream", Style::Cloud, 3),
    ];
    for (capture, dialect, route, expected, events) in legs {
        let streams = streams(capture);
        assert_eq!(streams.len(), 2);
        for chunks in streams {
            let whole = observe(dialect, route, &chunks);
            let (seen, style, ending) = &whole;
            assert_eq!((seen.events, seen.content), (events, true), "{route}");
            assert_eq!((*style, *ending), (expected, Ending::Done), "{route}");
            let named = seen.acknowledged.id.as_deref().map(str::len);
            assert_eq!(named, (expected == Style::Cloud).then_some(38), "{route}");
            let joined = String::from_utf8(chunks.concat()).unwrap();
            assert_eq!(observe_cut(dialect, route, &joined), whole, "{route}");
        }
    }
}
