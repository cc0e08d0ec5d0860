//! How many files the process may have open, and how many client connections that is enough for.

use modegate_config::Listener;
use modegate_filters::route::Leg;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What is kept for everything but requests: the listeners, each thread's poll, the admin API's
/// connections, the configuration's watch, the log, and connections that are told that they are
/// one too many.
const RESERVE: u64 = 256;

/// Raises the limit of open files as far as the process may, and says what it then is; `None`
/// where the system does not tell.
pub fn raise_limit() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return Some(hard);
    }
    Some(soft)
}

/// How many client connections there may be with a limit of open files: each may need one more to
/// an upstream.
pub fn enough_for(files: u64) -> usize {
    let reserve = RESERVE.min(files / 2);
    let connections = (files - reserve) / 2;
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}

/// The most client connections that the process may have open. Says so where that is fewer than
/// the configuration allows.
pub fn most_connections(configured: usize) -> usize {
    let Some(files) = raise_limit() else { return usize::MAX };
    let most = enough_for(files);
    if most < configured {
        tracing::warn!(
            open_files = files,
            connections = most,
            configured,
            needed = 2 * configured as u64 + RESERVE,
            "the limit of open files is too low for limits.connections"
        );
    }
    most
}

/// How many requests may be in flight on one leg: together they need as many upstream connections
/// as there may be clients', however many streams those have.
pub fn most_in_flight(most_connections: usize, listeners: &[Listener]) -> usize {
    let served = |leg: &Leg| listeners.iter().any(|listener| listener.leg == *leg);
    let legs = Leg::ALL.iter().filter(|leg| served(leg)).count();
    (most_connections / legs.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_for_a_limit_of_open_files() {
        let cases = [
            (0, 1),
            (1, 1),
            (64, 16),
            (256, 64),
            (512, 128),
            (1024, 384),
            (20_256, 10_000),
            (1_048_576, 524_160),
        ];
        for (files, connections) in cases {
            assert_eq!(enough_for(files), connections, "{files}");
        }
        assert!(enough_for(u64::MAX) > 1 << 40);
    }

    #[test]
    fn legs_share_what_there_is() {
        let cases = [
            (100, "bridge", "bridge", 100),
            (100, "bridge", "runtime", 50),
            (1, "frontend", "runtime", 1),
        ];
        for (most, one, other, expected) in cases {
            let listener = |leg| {
                let rest = "bind = \"127.0.0.1:0\"\nupstream = \"unix:/a\"\n";
                format!("[[listener]]\nleg = \"{leg}\"\n{rest}")
            };
            let text = [one, other].map(listener).concat();
            let config = modegate_config::Config::parse(&text).unwrap();
            assert_eq!(most_in_flight(most, &config.listeners), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_limit_is_never_lowered() {
        let before = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(raise_limit(), Some(before.1.max(before.0)));
    }
}
