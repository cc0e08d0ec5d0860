//! What every server must take: h2spec's generic cases, and RFC 9113, sections 3 and 4.

use super::*;

fn with(kind: u8, flags: u8, before: &[u8], block: Vec<u8>, after: &[u8]) -> Frame {
    Frame::new(kind, flags, 1, [before, &block, after].concat())
}

fn get_block() -> Vec<u8> {
    hpack::block(&get("/other"))
}

/// A GET with one field more, as these bytes of its block.
fn with_field(bytes: &[u8]) -> Vec<Frame> {
    vec![Frame::headers(1, [&get_block(), bytes].concat(), frame::END_STREAM)]
}

fn dependent(on: u32, weight: u8) -> Vec<u8> {
    [&on.to_be_bytes()[..], &[weight]].concat()
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("generic 2: PRIORITY on an idle stream", Answer, || vec![Frame::priority(1, 0), ask(1)]),
    case("generic 2: WINDOW_UPDATE on a half-closed stream", Answer, || vec![ask(1), Frame::window_update(1, 100)]),
    case("generic 2: PRIORITY on a half-closed stream", Answer, || vec![ask(1), Frame::priority(1, 0)]),
    case("generic 2: RST_STREAM on a half-closed stream", GoOn, || vec![ask(3), Frame::reset(3, frame::CANCEL), Frame::ping([1; 8])]),
    case("generic 2: PRIORITY on a closed stream", GoOn, || vec![begin(5), Frame::reset(5, frame::CANCEL), Frame::priority(5, 0)]),
    case("generic 3.1: DATA", Answer, || vec![begin(1), Frame::data(1, "test", frame::END_STREAM)]),
    case("generic 3.1: several DATA", Answer, || vec![begin(1), Frame::data(1, "te", 0), Frame::data(1, "st", frame::END_STREAM)]),
    case("generic 3.1: DATA with padding", Answer, || vec![begin(1), with(frame::DATA, frame::PADDED | frame::END_STREAM, &[6], b"test".to_vec(), &[0; 6])]),
    case("generic 3.2: HEADERS", Answer, || vec![ask(1)]),
    case("generic 3.2: HEADERS with padding", Answer, || vec![with(frame::HEADERS, frame::PADDED | 5, &[6], get_block(), &[0; 6])]),
    case("generic 3.2: HEADERS with a priority", Answer, || vec![with(frame::HEADERS, frame::WITH_PRIORITY | 5, &dependent(0, 255), get_block(), &[])]),
    case("generic 3.2: HEADERS with both", Answer, || vec![with(frame::HEADERS, frame::WITH_PRIORITY | frame::PADDED | 5, &[&[6][..], &dependent(0, 255)].concat(), get_block(), &[0; 6])]),
    case("generic 3.3: PRIORITY of 1", Answer, || vec![Frame::new(frame::PRIORITY, 0, 1, dependent(0, 0)), ask(1)]),
    case("generic 3.3: PRIORITY of 256", Answer, || vec![Frame::new(frame::PRIORITY, 0, 1, dependent(0, 255)), ask(1)]),
    case("generic 3.3: PRIORITY below another", Answer, || vec![Frame::priority(1, 3), ask(1)]),
    case("generic 3.3: PRIORITY, exclusive", Answer, || vec![Frame::priority(1, 0x8000_0003), ask(1)]),
    case("generic 3.3: PRIORITY of a later stream, then HEADERS of an earlier one", Answer, || vec![Frame::priority(1, 0), Frame::priority(5, 0), ask(1)]),
    case("generic 3.4: RST_STREAM", GoOn, || vec![begin(5), Frame::reset(5, frame::CANCEL)]),
    case("generic 3.5: SETTINGS", GoOn, || vec![Frame::settings(&[(3, 100)])]),
    case("generic 3.7: PING", GoOn, || vec![Frame::ping(*b"h2spec\0\0")]),
    case("generic 3.8: GOAWAY", Answer, || vec![ask(1), Frame::go_away(0, frame::NO_ERROR)]),
    case("generic 3.9: WINDOW_UPDATE", Answer, || vec![Frame::window_update(0, 1), ask(1)]),
    case("generic 3.9: WINDOW_UPDATE of a stream", Answer, || vec![begin(1), Frame::window_update(1, 1), Frame::data(1, "x", frame::END_STREAM)]),
    case("generic 3.10: CONTINUATION", Answer, || vec![half(1, frame::END_STREAM), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("generic 3.10: several CONTINUATION", Answer, || vec![half(1, frame::END_STREAM), Frame::continuation(1, hpack::block(&[("a", "b")]), 0), Frame::continuation(1, hpack::block(&[("c", "d")]), 0), Frame::continuation(1, [], frame::END_HEADERS)]),
    case("generic 4: HEAD", Answer, || { let mut fields = get("/other"); fields[0].1 = "HEAD"; vec![Frame::headers(1, hpack::block(&fields), frame::END_STREAM)] }),
    case("generic 4: POST with trailers", Answer, || vec![begin(1), Frame::data(1, "x", 0), Frame::headers(1, hpack::block(&[("x-test", "ok")]), frame::END_STREAM)]),
    case("generic 5: an indexed field", Answer, || vec![Frame::headers(1, [&[0x82, 0x86, 0x84][..], &hpack::block(&[(":authority", "h")])].concat(), frame::END_STREAM)]),
    case("generic 5: a literal with indexing, indexed name", Answer, || with_field(&[0x40 | 58, 1, b'a'])),
    case("generic 5: a literal with indexing, new name", Answer, || with_field(&hpack::literal(0x40, b"x-new", b"a"))),
    case("generic 5: a literal without indexing, indexed name", Answer, || with_field(&[0x0f, 58 - 15, 1, b'a'])),
    case("generic 5: a literal without indexing, new name", Answer, || with_field(&hpack::literal(0, b"x-new", b"a"))),
    case("generic 5: a literal never indexed, indexed name", Answer, || with_field(&[0x1f, 58 - 15, 1, b'a'])),
    case("generic 5: a literal never indexed, new name", Answer, || with_field(&hpack::literal(0x10, b"x-new", b"a"))),
    case("generic 5: Huffman coding", Answer, || with_field(&[0x40, 0x82, 0x1c, 0x64, 0x82, 0x1c, 0x64])),
    case("generic 5: an entry of the dynamic table", Answer, || with_field(&[&hpack::literal(0x40, b"x-new", b"a")[..], &[0x80 | 62]].concat())),
    case("generic 5: a new size of the table", Answer, || vec![Frame::headers(1, [&[0x20][..], &get_block()].concat(), frame::END_STREAM)]),
    case("generic 5: two new sizes of the table", Answer, || vec![Frame::headers(1, [&[0x20, 0x3f, 0xe1, 0x1f][..], &get_block()].concat(), frame::END_STREAM)]),
    case("4.1: a frame of an unknown type", Answer, || vec![Frame::new(0x16, 0, 0, [0; 8]), ask(1)]),
    case("4.1: undefined flags", GoOn, || vec![Frame::new(frame::PING, 0x16, 0, [0; 8])]),
    case("4.1: the reserved bit", GoOn, || vec![Frame::new(frame::PING, 0, 0x8000_0000, [0; 8])]),
    case("4.2: DATA of 2^14", Answer, || vec![begin(1), Frame::data(1, [b'x'; 16_384], frame::END_STREAM)]),
    case("4.2: DATA over SETTINGS_MAX_FRAME_SIZE", Either(SIZE), || vec![begin(1), Frame::data(1, [b'x'; 16_385], frame::END_STREAM)]),
    case("4.2: HEADERS over SETTINGS_MAX_FRAME_SIZE", Connection(SIZE), || vec![Frame::headers(1, [&get_block()[..], &hpack::literal(0, b"x", &[b'a'; 16_385])].concat(), frame::END_STREAM)]),
    case("4.3: a header block that is none", Connection(CODING), || vec![Frame::headers(1, [0x40], frame::END_STREAM)])
        .but(Connection(PROTOCOL), "h2 says PROTOCOL_ERROR of every block it cannot read"),
    case("4.3: PRIORITY within a header block", Connection(PROTOCOL), || vec![half(1, 1), Frame::priority(1, 0), Frame::continuation(1, [], frame::END_HEADERS)]),
    case("4.3: HEADERS of another stream within a header block", Connection(PROTOCOL), || vec![half(1, 1), ask(3)]),
    case("5.4.1: a PING that is none ends the connection", Connection(SIZE), || vec![Frame::new(frame::PING, 0, 0, [0; 6]), ask(1)]).but(Connection(PROTOCOL), "h2 says PROTOCOL_ERROR of every frame it cannot read"),
    case("5.5: an unknown frame", GoOn, || vec![Frame::new(0xff, 0xff, 0, [0; 8])]),
    case("5.5: an unknown frame within a header block", Connection(PROTOCOL), || vec![half(1, 1), Frame::new(0xff, 0, 0, [0; 8]), Frame::continuation(1, [], frame::END_HEADERS)]),
];

#[tokio::test]
async fn what_every_server_takes() {
    check(CASES).await;
}

#[tokio::test]
async fn section_3_4_a_preface_that_is_none() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let tls = crate::harness::Authority::new();
    let secure = crate::harness::secure(&tls, &origin.url(), "").await;
    let wrong = b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n";
    let mut first = H2::bare(modegate.frontend()).await;
    first.write([&wrong[..], &Frame::settings(&[]).bytes(), &ask(1).bytes()].concat()).await;
    // It is no HTTP/2, so that no GOAWAY comes.
    assert_eq!(first.closed().await, None);
    assert_eq!((first.settings.is_none(), first.so_far(1).status), (true, 0));
    let mut client = crate::harness::Client::connect(modegate.frontend()).await;
    client.write(wrong).await;
    assert!(client.try_response_to("PRI").await.is_none_or(|answer| answer.status == 400));
    let agreed = tls.client(&["h2"], None).connect(secure.frontend()).await.unwrap();
    let mut h2 = H2::over(agreed.stream);
    h2.write([&wrong[..], &Frame::settings(&[]).bytes(), &ask(1).bytes()].concat()).await;
    assert!(matches!(h2.closed().await, None | Some(frame::PROTOCOL_ERROR)));
    // HTTP/1.1 where HTTP/2 was agreed on.
    let agreed = tls.client(&["h2"], None).connect(secure.frontend()).await.unwrap();
    let mut h2 = H2::over(agreed.stream);
    h2.write("GET /other HTTP/1.1\r\nHost: h\r\n\r\n").await;
    h2.closed().await;
    assert_eq!(origin.requests(), 0);
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = h2.exchange(&post("/api/chat"), "{}").await;
    assert_eq!((answered.status, answered.ended), (200, Ended::Clean));
    assert_eq!(origin.requests(), 1);
}

#[tokio::test]
async fn section_3_4_settings_come_first() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::bare(modegate.frontend()).await;
    h2.write(frame::PREFACE).await;
    let first = h2.frame().await.expect("settings before a client's");
    assert_eq!((first.kind, first.flags, first.stream), (frame::SETTINGS, 0, 0));
    for (id, value) in [(3, 100), (4, 512 << 10), (6, 64 << 10)] {
        assert_eq!(first.setting(id), Some(value), "setting {id}");
    }
}
