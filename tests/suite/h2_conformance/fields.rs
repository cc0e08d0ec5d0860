//! Messages and their fields: RFC 9113, section 8, and RFC 7541.

use super::*;

/// A POST with its fields changed, and a body of four bytes.
fn post_of(change: fn(&mut Vec<(&str, &str)>)) -> Vec<Frame> {
    let mut fields = post("/upload");
    change(&mut fields);
    vec![Frame::headers(1, hpack::block(&fields), 0), Frame::data(1, "test", frame::END_STREAM)]
}

/// A GET with more bytes in its block.
fn get_and(bytes: &[u8]) -> Vec<Frame> {
    vec![Frame::headers(1, [&hpack::block(&get("/other")), bytes].concat(), frame::END_STREAM)]
}

const H2_CODE: &str = "h2 says PROTOCOL_ERROR of every block it cannot read";
const H2_NAME: &str =
    "to h2 such a name is a block it cannot read: all of the connection is refused";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("8.1: a second HEADERS without END_STREAM", Either(PROTOCOL), || vec![begin(1), Frame::headers(1, hpack::block(&[("a", "b")]), 0)]),
    case("8.2.1: a name in upper case", Stream(PROTOCOL), || post_of(|fields| fields.push(("X-TEST", "ok")))).but(Connection(PROTOCOL), H2_NAME),
    case("8.3: an unknown pseudo-field", Stream(PROTOCOL), || post_of(|fields| fields.insert(0, (":test", "ok")))).but(Connection(PROTOCOL), H2_NAME),
    case("8.3: a pseudo-field of answers", Stream(PROTOCOL), || post_of(|fields| fields.insert(0, (":status", "200")))),
    case("8.3: a pseudo-field in trailers", Stream(PROTOCOL), || vec![begin(1), Frame::data(1, "x", 0), Frame::headers(1, hpack::block(&[(":method", "GET")]), frame::END_STREAM)]).but(Answer, "h2 leaves it out: it goes nowhere"),
    case("8.3: a pseudo-field after others", Stream(PROTOCOL), || post_of(|fields| { let path = fields.remove(2); fields.push(path); })),
    case("8.2.2: a field of the connection", Stream(PROTOCOL), || post_of(|fields| fields.push(("connection", "keep-alive")))),
    case("8.2.2: transfer-encoding", Stream(PROTOCOL), || post_of(|fields| fields.push(("transfer-encoding", "chunked")))),
    case("8.2.2: TE other than trailers", Stream(PROTOCOL), || post_of(|fields| fields.push(("te", "trailers, deflate;q=0.5")))),
    case("8.2.2: TE of trailers", Answer, || post_of(|fields| fields.push(("te", "trailers")))),
    case("8.3.1: an empty :path", Stream(PROTOCOL), || post_of(|fields| fields[2].1 = "")),
    case("8.3.1: no :method", Stream(PROTOCOL), || post_of(|fields| { fields.remove(0); })),
    case("8.3.1: no :scheme", Stream(PROTOCOL), || post_of(|fields| { fields.remove(1); })),
    case("8.3.1: no :path", Stream(PROTOCOL), || post_of(|fields| { fields.remove(2); })),
    case("8.3.1: two :method", Stream(PROTOCOL), || post_of(|fields| fields.insert(0, (":method", "POST")))),
    case("8.3.1: two :scheme", Stream(PROTOCOL), || post_of(|fields| fields.insert(0, (":scheme", "http")))),
    case("8.3.1: two :path", Stream(PROTOCOL), || post_of(|fields| fields.insert(0, (":path", "/")))),
    case("8.1.1: a content-length that is not the body's", Either(PROTOCOL), || post_of(|fields| fields.push(("content-length", "1")))),
    case("8.1.1: a content-length that is not the sum of several DATA", Either(PROTOCOL), || vec![Frame::headers(1, hpack::block(&[post("/upload"), vec![("content-length", "1")]].concat()), 0), Frame::data(1, "te", 0), Frame::data(1, "st", frame::END_STREAM)]),
    case("8.1.1: a content-length without a body", Either(PROTOCOL), || vec![Frame::headers(1, hpack::block(&[post("/upload"), vec![("content-length", "1")]].concat()), frame::END_STREAM)]),
    case("7541 2.3.3: an index that there is not", Connection(CODING), || get_and(&[0x80 | 70])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 2.3.3: a name's index that there is not", Connection(CODING), || get_and(&[0x40 | 0x3f, 70 - 63, 0])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 4.2: a new size of the table at a block's end", Connection(CODING), || get_and(&[0x21])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 5.2: padding of more than 7 bits", Connection(CODING), || get_and(&[0, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 5.2: padding of zeros", Connection(CODING), || get_and(&[0, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x83, 0x49, 0x50, 0x90])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 5.2: the end of a string within it", Connection(CODING), || get_and(&[0, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0xff, 0xff, 0xff, 0xff])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 6.1: index 0", Connection(CODING), || get_and(&[0x80])).but(Connection(PROTOCOL), H2_CODE),
    case("7541 6.3: a size of the table over the limit", Connection(CODING), || vec![Frame::headers(1, [&[0x3f, 0xe2, 0x1f][..], &hpack::block(&get("/other"))].concat(), frame::END_STREAM)]).but(Connection(PROTOCOL), H2_CODE),
    case("7541 5.1: an integer that does not end", Connection(CODING), || get_and(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])).but(Connection(PROTOCOL), H2_CODE),
];

#[tokio::test]
async fn messages_and_their_fields() {
    check(CASES).await;
}
