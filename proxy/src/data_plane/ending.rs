//! How a body ended that gives no more.

use http_body::Body;
use hyper::body::Incoming;

use super::pool::Protocol;

/// Whether a body that gave its last frame broke off all the same. In HTTP/2 its sender may reset
/// the stream with NO_ERROR, which the library takes for an end; that came with END_STREAM only.
/// In HTTP/1.1 a body without a length never says that it is over, and a break is an error.
pub fn is_cut(body: &Incoming, protocol: Protocol) -> bool {
    protocol == Protocol::Http2 && !body.is_end_stream()
}
