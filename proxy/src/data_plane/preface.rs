//! Tells HTTP/2 in clear from HTTP/1.1 by how a connection begins (RFC 9113, section 3.4).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a client of HTTP/2 sends first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a connection began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// With the preface, read to its end.
    Http2,
    /// With these bytes.
    Http1(Vec<u8>),
}

/// Reads until it is clear what a connection is; not a byte beyond the preface.
///
/// # Errors
/// Where the connection fails, or ends before it began.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Begun> {
    let mut begun = vec![0; PREFACE.len()];
    let mut length = 0;
    loop {
        let Some(free) = begun.get_mut(length..).filter(|free| !free.is_empty()) else {
            return Ok(Begun::Http2);
        };
        let read = stream.read(free).await?;
        length += read;
        let read_so_far = begun.get(..length).unwrap_or_default();
        match (read, PREFACE.starts_with(read_so_far)) {
            (0, _) if length == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            (1.., true) => {}
            _ => {
                begun.truncate(length);
                return Ok(Begun::Http1(begun));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_preface_is_read_to_its_end_and_no_further() {
        for at in 0..PREFACE.len() {
            let (start, rest) = PREFACE.split_at(at);
            let mut stream = start.chain(rest).chain(&b"more"[..]);
            assert_eq!(read(&mut stream).await.unwrap(), Begun::Http2, "in two at {at}");
            let mut left = Vec::new();
            stream.read_to_end(&mut left).await.unwrap();
            assert_eq!(left, b"more", "in two at {at}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_given_back() {
        for bytes in ["G", "GET / HTTP/1.1\r\n\r\n", "PRI", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"] {
            let mut stream = bytes.as_bytes();
            let Begun::Http1(begun) = read(&mut stream).await.unwrap() else { panic!("{bytes:?}") };
            assert_eq!([&begun, stream].concat(), bytes.as_bytes(), "{bytes:?}");
        }
        assert!(read(&mut &b""[..]).await.is_err(), "nothing at all");
    }
}
