//! A server behind the process under test that does with each connection what the test says, byte
//! by byte.

use std::future::Future;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// A running origin; it ends with the test.
pub struct RawOrigin {
    url: String,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl RawOrigin {
    /// An origin on a TCP port; each connection is served by a task of its own.
    pub async fn start<S, F>(serve: S) -> RawOrigin
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("an open socket");
                tokio::spawn(serve(stream));
            }
        });
        RawOrigin { url, accepting }
    }

    /// What a configuration calls it.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

/// Reads one request with its Content-Length, or its first part up to where `enough` says so of
/// what was read; `None` at the end of the connection.
pub async fn request_until(
    stream: &mut TcpStream,
    mut enough: impl FnMut(&[u8]) -> bool,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(bytes)
}

/// Where a request's head ends, if it is there.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Whether a request with a Content-Length, or without a body, is whole.
pub fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = head_end(bytes) else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
    bytes.len() >= end + length
}
