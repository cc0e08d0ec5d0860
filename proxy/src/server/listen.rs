//! Binds the listening sockets before anything is served, so that an address that is taken is an
//! error at once, and port 0 has a number.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use modegate_config::Bind;

use super::take_over::Inherited;

/// Where a listener is bound: with port 0, the port that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The address.
    pub bind: Bind,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bind.fmt(f)
    }
}

/// A listener's socket.
pub struct Socket {
    /// Where it is bound.
    pub bound: Bound,
    /// The socket itself; `None` where it is to be inherited.
    pub fd: Option<OwnedFd>,
    /// Where it is once it was given.
    pub coming: Inherited,
}

impl Socket {
    /// A socket that a running process will hand over.
    pub fn inherited(bind: &Bind, coming: &Inherited) -> Socket {
        Socket { bound: Bound { bind: bind.clone() }, fd: None, coming: coming.clone() }
    }

    fn bound(bind: Bind, fd: OwnedFd) -> Socket {
        Socket { bound: Bound { bind }, fd: Some(fd), coming: Inherited::default() }
    }
}

/// An address that cannot be bound.
#[derive(Debug)]
pub struct BindError {
    bind: Bind,
    error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.bind, self.error)
    }
}

impl std::error::Error for BindError {}

/// Binds a listener's address.
///
/// # Errors
/// What the system says, with the address.
pub fn bind(bind: &Bind) -> Result<Socket, BindError> {
    let failed = |error| BindError { bind: bind.clone(), error };
    match bind {
        Bind::Tcp(address) => {
            let listener = TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let bind = Bind::Tcp(listener.local_addr().map_err(failed)?);
            Ok(Socket::bound(bind, listener.into()))
        }
        Bind::Unix(path) => {
            remove_stale(path).map_err(failed)?;
            let listener = UnixListener::bind(path).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(Socket::bound(bind.clone(), listener.into()))
        }
    }
}

/// Removes a socket that nobody listens on; a file of any other kind is left alone.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = path.symlink_metadata().is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refused) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
