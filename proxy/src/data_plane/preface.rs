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

    #[test]
    fn how_connections_begin() {
        let whole = [PREFACE, b"more"].concat();
        let cases: [(&[u8], Option<Begun>, &[u8]); 6] = [
            (&whole, Some(Begun::Http2), b"more"),
            (b"GET / HTTP/1.1", Some(Begun::Http1(b"GET / HTTP/1.1".to_vec())), b""),
            (b"P", Some(Begun::Http1(b"P".to_vec())), b""),
            (b"PRI * HTTP/2.0\r\n\r\nXX", Some(Begun::Http1(whole[..18].to_vec())), b"XX"),
            (b"PRI * HTTP/1.1\r\n", Some(Begun::Http1(b"PRI * HTTP/1.1\r\n".to_vec())), b""),
            (b"", None, b""),
        ];
        for (bytes, expected, _) in cases {
            let mut stream = bytes;
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let begun = runtime.block_on(read(&mut stream)).ok();
            match (&begun, &expected) {
                (Some(Begun::Http1(got)), Some(Begun::Http1(start))) => {
                    assert!(got.starts_with(start) && bytes.starts_with(got), "{bytes:?}");
                }
                _ => assert_eq!(begun, expected, "{bytes:?}"),
            }
            if begun == Some(Begun::Http2) {
                assert_eq!(stream, b"more");
            }
        }
    }
}
