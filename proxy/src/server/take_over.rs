//! Takes the listening sockets over from the process that serves, once everything else is ready. A
//! socket that it has not got is bound.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use modegate_config::Bind;
use pingora_core::server::Fds;

use super::StartError;
use super::listen::bind;

/// The sockets by name, once they are here.
pub type Inherited = Arc<OnceLock<Fds>>;

/// Nobody gave the sockets, in the time that the engine waits.
#[derive(Debug)]
pub struct NotHandedOver(PathBuf);

impl fmt::Display for NotHandedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no process gave its listening sockets over at {}: start this one with --upgrade, then, \
             within five seconds, send SIGQUIT to the one that runs, which must have been started with \
             the same --upgrade-socket",
            self.0.display()
        )
    }
}

impl std::error::Error for NotHandedOver {}

/// Waits for the sockets at this path.
///
/// # Errors
/// Where the path cannot be a socket's, nobody comes ([`NotHandedOver`]), or a socket that did not
/// come cannot be bound.
pub fn take_over(path: &Path, wanted: &[Bind], inherited: &Inherited) -> Result<(), StartError> {
    let unfit = |error: io::Error| format!("--upgrade-socket {}: {error}", path.display());
    usable(path).map_err(unfit)?;
    tracing::info!(socket = %path.display(), "waiting for the listening sockets");
    let mut sockets = Fds::new();
    let got = sockets.get_from_sock(path.to_string_lossy().as_ref());
    got.map_err(|_| NotHandedOver(path.to_owned()))?;
    sockets.close_unclaimed(&wanted.iter().map(name).collect());
    for place in wanted {
        if sockets.get(&name(place)).is_none()
            && let Some(socket) = bind(place)?.fd
        {
            sockets.add(name(place), socket.into_raw_fd());
        }
    }
    let _ = inherited.set(sockets);
    Ok(())
}

/// What a socket is called from process to process.
pub fn name(bind: &Bind) -> String {
    match bind {
        Bind::Tcp(address) => address.to_string(),
        Bind::Unix(path) => path.to_string_lossy().into_owned(),
    }
}

/// The engine ends the process where it cannot listen there, and removes what it finds.
fn usable(path: &Path) -> io::Result<()> {
    SocketAddr::from_pathname(path)?;
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is no socket"));
        }
        _ => {}
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".probe");
    File::create_new(&beside)?;
    fs::remove_file(beside)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_place_for_a_socket_is_usable() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "kept").unwrap();
        drop(UnixListener::bind(at("stale")).unwrap());
        let long = "l".repeat(200);
        let cases =
            [("new", true), ("stale", true), ("file", false), ("none/new", false), (&long, false)];
        for (name, fit) in cases {
            assert_eq!(usable(&at(name)).is_ok(), fit, "{name}");
        }
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left");
    }
}
