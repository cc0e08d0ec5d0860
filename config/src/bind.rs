//! Where a listener listens: a TCP address or a unix socket. It does not open it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::rule::Rule;

/// The longest path of a unix socket, in bytes: `sun_path` has 108 with its final zero.
const UNIX_PATH_LIMIT: usize = 107;

/// Where a listener listens. It prints as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// An IP address and port; port 0 lets the system choose one.
    Tcp(SocketAddr),
    /// A unix socket's absolute path.
    Unix(PathBuf),
}

impl Bind {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Bind::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Bind::Unix(_) => true,
        }
    }

    /// Whether the two cannot both be opened. Two ports of 0 become different ports.
    pub(crate) fn collides(&self, other: &Bind) -> bool {
        !matches!(self, Bind::Tcp(address) if address.port() == 0) && self == other
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bind::Tcp(address) => address.fmt(f),
            Bind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address to listen on.
pub(crate) fn bind() -> Rule<Bind> {
    Rule::text("\"ip:port\" or \"unix:/path\"", |text| match text.strip_prefix("unix:") {
        Some(path) => unix_path(path).map(Bind::Unix),
        None => text.parse().ok().map(Bind::Tcp),
    })
}

/// The absolute path of a unix socket.
pub(crate) fn unix_path(path: &str) -> Option<PathBuf> {
    let named = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
    (named && path.len() <= UNIX_PATH_LIMIT).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use toml::de::DeValue;

    use super::*;

    fn read(text: &str) -> Option<Bind> {
        bind().read(&DeValue::String(Cow::Borrowed(text))).ok()
    }

    #[test]
    fn prints_as_written() {
        for text in ["127.0.0.1:0", "0.0.0.0:8080", "[::1]:9901", "unix:/run/modegate.sock"] {
            assert_eq!(read(text).map(|bind| bind.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn refused() {
        let long = format!("unix:/{}", "x".repeat(UNIX_PATH_LIMIT));
        for text in [
            "",
            "8080",
            ":8080",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:65536",
            "unix:",
            "unix:run.sock",
            "unix:/",
            "unix:/a\0b",
            &long,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn local_and_colliding() {
        let local = |text| read(text).unwrap().is_local();
        for text in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a"] {
            assert!(local(text), "{text}");
        }
        for text in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!local(text), "{text}");
        }
        let collide = |one, other| read(one).unwrap().collides(&read(other).unwrap());
        assert!(collide("127.0.0.1:1", "127.0.0.1:1"));
        assert!(collide("unix:/a", "unix:/a"));
        assert!(!collide("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!collide("127.0.0.1:1", "127.0.0.1:2"));
    }
}
