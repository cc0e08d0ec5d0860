//! Which connections are served: so many in all, and so many of one address. Looked at when a
//! connection comes and when it goes, never by a request.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use modegate_config::Limits;
use modegate_filters::rejection::Rejection;

/// How many connections over a limit are told so at once; more are closed without a word. Enough
/// for a deployment that has outgrown its limit to see why, too few to be worth an attack.
const TOLD: usize = 64;

/// How long a connection over a limit has for its request and our answer.
pub const TELL: Duration = Duration::from_secs(2);

/// How many tables the addresses are spread over, so that threads that accept seldom meet.
const SHARDS: usize = 64;

/// Counts the open client connections of the process.
#[derive(Debug)]
pub struct Admission {
    /// What the process may have open at most, whatever the configuration says.
    most: usize,
    open: AtomicUsize,
    told: AtomicUsize,
    by_address: Box<[Mutex<HashMap<Peer, usize>>]>,
    spread: RandomState,
}

/// Whose connection it is. Of an IPv6 address its network of 64 bits, which one host may have all
/// of; an IPv4 address in IPv6 form is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    V4(u32),
    V6(u64),
}

impl Peer {
    fn of(address: IpAddr) -> Peer {
        match address.to_canonical() {
            IpAddr::V4(address) => Peer::V4(address.to_bits()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments().map(u64::from);
                Peer::V6(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }
}

/// What becomes of a connection.
#[derive(Debug)]
pub enum Admitted {
    /// It is served.
    Yes(Seat),
    /// It is told why not, within [`TELL`].
    Told(Seat, Rejection),
    /// It is closed.
    No(Rejection),
}

impl Admitted {
    /// Why its requests are refused.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Admitted::Yes(_) => None,
            Admitted::Told(_, rejection) | Admitted::No(rejection) => Some(*rejection),
        }
    }
}

/// A connection's place among those that are counted; given back when this is dropped.
#[derive(Debug)]
pub struct Seat {
    admission: Arc<Admission>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Served(Option<Peer>),
    Told,
}

impl Admission {
    /// Nothing is open yet; at most so many may be.
    pub fn new(most: usize) -> Arc<Admission> {
        Arc::new(Admission {
            most,
            open: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            by_address: (0..SHARDS).map(|_| Mutex::default()).collect(),
            spread: RandomState::new(),
        })
    }

    /// How many connections may be open with these limits.
    pub fn cap(&self, limits: &Limits) -> usize {
        limits.connections.min(self.most)
    }

    /// A connection has come, from an address where it has one.
    pub fn admit(self: &Arc<Admission>, from: Option<IpAddr>, limits: &Limits) -> Admitted {
        let seat = |kind| Seat { admission: self.clone(), kind };
        let peer = from.map(Peer::of);
        let rejection = match peer {
            Some(peer) if !self.take_of(peer, limits.connections_per_address) => {
                Rejection::ConnectionsPerAddress
            }
            _ if take(&self.open, self.cap(limits)) => {
                return Admitted::Yes(seat(Kind::Served(peer)));
            }
            _ => {
                self.give_back(peer);
                Rejection::Connections
            }
        };
        match take(&self.told, TOLD) {
            true => Admitted::Told(seat(Kind::Told), rejection),
            false => Admitted::No(rejection),
        }
    }

    fn shard(&self, peer: Peer) -> Option<MutexGuard<'_, HashMap<Peer, usize>>> {
        let hash = usize::try_from(self.spread.hash_one(peer) % SHARDS as u64).unwrap_or_default();
        let shard = self.by_address.get(hash)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An address is in the table only while it has connections: the table is no larger than they
    /// are many.
    fn take_of(&self, peer: Peer, most: usize) -> bool {
        let Some(mut shard) = self.shard(peer) else { return true };
        let open = shard.entry(peer).or_default();
        let free = *open < most;
        *open += usize::from(free);
        free
    }

    fn give_back(&self, peer: Option<Peer>) {
        let Some((peer, mut shard)) = peer.and_then(|peer| Some((peer, self.shard(peer)?))) else {
            return;
        };
        if let Some(open) = shard.get_mut(&peer) {
            *open -= 1;
            if *open == 0 {
                shard.remove(&peer);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match self.kind {
            Kind::Told => {
                self.admission.told.fetch_sub(1, Relaxed);
            }
            Kind::Served(peer) => {
                self.admission.open.fetch_sub(1, Relaxed);
                self.admission.give_back(peer);
            }
        }
    }
}

/// One more, unless that is one too many.
fn take(count: &AtomicUsize, most: usize) -> bool {
    count.fetch_update(Relaxed, Relaxed, |count| (count < most).then_some(count + 1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, per_address: usize) -> Limits {
        let text = format!(
            "[limits]\nconnections = {connections}\nconnections_per_address = {per_address}\n\
             [[listener]]\nleg = \"bridge\"\nbind = \"127.0.0.1:0\"\nupstream = \"unix:/a\"\n"
        );
        modegate_config::Config::parse(&text).unwrap().limits
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn entries(admission: &Admission) -> usize {
        admission.by_address.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    #[test]
    fn who_shares_an_address() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "::10.0.0.1", false),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::", "0.0.0.0", false),
        ];
        for (one, other, same) in cases {
            let peers = [one, other].map(|text| Peer::of(text.parse().unwrap()));
            assert_eq!(peers[0] == peers[1], same, "{one} {other}");
        }
    }

    #[test]
    fn over_a_limit_some_are_told_and_the_rest_is_closed() {
        let cases = [
            (3, 100, 10, Rejection::Connections),
            (100, 3, 10, Rejection::ConnectionsPerAddress),
            (100, 100, 3, Rejection::Connections),
        ];
        for (connections, per_address, most, rejection) in cases {
            let (admission, limits) = (Admission::new(most), limits(connections, per_address));
            let from = address("10.0.0.1");
            let mut served: Vec<_> = (0..3).map(|_| admission.admit(from, &limits)).collect();
            assert!(served.iter().all(|admitted| matches!(admitted, Admitted::Yes(_))));
            let mut told: Vec<_> = (0..TOLD).map(|_| admission.admit(from, &limits)).collect();
            let is_told = |admitted: &Admitted| matches!(admitted, Admitted::Told(_, why) if *why == rejection);
            assert!(told.iter().all(is_told), "{rejection:?}");
            let closed = admission.admit(from, &limits);
            assert!(matches!(closed, Admitted::No(why) if why == rejection), "{closed:?}");
            told.pop();
            assert!(is_told(&admission.admit(from, &limits)));
            served.pop();
            assert!(matches!(admission.admit(from, &limits), Admitted::Yes(_)));
        }
    }

    #[test]
    fn one_address_leaves_room_for_the_others_and_nothing_is_kept() {
        let (admission, limits) = (Admission::new(100), limits(4, 2));
        let mut seats: Vec<_> =
            (0..9).map(|_| admission.admit(address("10.0.0.1"), &limits)).collect();
        seats.extend(
            ["10.0.0.2", "2001:db8::1"].map(|from| admission.admit(address(from), &limits)),
        );
        assert!(seats.iter().rev().take(2).all(|seat| matches!(seat, Admitted::Yes(_))));
        let full = admission.admit(address("10.0.0.3"), &limits);
        assert_eq!(full.rejection(), Some(Rejection::Connections));
        assert_eq!(entries(&admission), 3, "none of an address without connections");
        drop((seats, full));
        assert_eq!((entries(&admission), admission.told.load(Relaxed)), (0, 0));
        assert_eq!(admission.open.load(Relaxed), 0);
    }

    #[test]
    fn a_unix_socket_has_no_address_to_count() {
        let (admission, limits) = (Admission::new(100), limits(3, 1));
        let seats: Vec<_> = (0..3).map(|_| admission.admit(None, &limits)).collect();
        assert!(seats.iter().all(|seat| matches!(seat, Admitted::Yes(_))));
        assert_eq!(admission.admit(None, &limits).rejection(), Some(Rejection::Connections));
    }
}
