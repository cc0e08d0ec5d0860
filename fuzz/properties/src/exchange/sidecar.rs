//! The sidecar: the real one, with its data plane on a thread of its own, in front of one origin. Every flag is off, so
//! that the contract is removed wherever it stands.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use modegate::logging;
use modegate::server::{App, HandOver, Role, Start, Stop};
use modegate_config::flags::FlagLayer;
use modegate_config::{Bind, Config};
use modegate_filters::route::Leg;
use tokio::sync::watch;

/// A listener of the sidecar.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Its leg.
    pub leg: Leg,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The leg of each door, and whether it takes HTTP/2 in clear.
const DOORS: [(Leg, bool); 4] =
    [(Leg::Frontend, false), (Leg::Bridge, false), (Leg::Runtime, false), (Leg::Frontend, true)];

/// Starts the sidecar in front of the origin, for as long as the process lives.
pub fn start(origin: SocketAddr) -> Vec<Door> {
    let text = configuration(origin);
    let config = Config::parse(&text).unwrap_or_else(|report| panic!("{report}"));
    let start = Start {
        // Not there: nothing is reloaded.
        file: (PathBuf::from("properties.toml"), text, config),
        environment: FlagLayer::default(),
        log: logging::silent(),
        hand_over: HandOver::Off,
        stop: Stop::Told(never()),
        role: Role::Sidecar,
    };
    let app = App::new(start).unwrap_or_else(|error| panic!("{error}"));
    let addresses: Vec<SocketAddr> = app
        .listeners
        .iter()
        .map(|bound| match &bound.bind {
            Bind::Tcp(address) => *address,
            Bind::Unix(path) => panic!("bound to {path:?}"),
        })
        .collect();
    std::thread::spawn(|| app.run());
    let door = |((leg, _), address)| Door { leg, address };
    DOORS.into_iter().zip(addresses).map(door).collect()
}

fn configuration(origin: SocketAddr) -> String {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // A wait that is too long shows as a client that waits in vain.
    let mut text = format!(
        "[server]\nthreads = 1\n[timeouts]\nheader = \"60s\"\nbody = \"60s\"\n\
         [upstream]\nhealth_interval = \"off\"\n[admin]\nbind = \"{any}\"\n"
    );
    for (leg, h2c) in DOORS {
        let leg = leg.word();
        text.push_str(&format!(
            "[[listener]]\nleg = \"{leg}\"\nbind = \"{any}\"\nupstream = \"http://{origin}\"\nh2c = {h2c}\n"
        ));
    }
    text
}

/// A stop that is never told.
fn never() -> watch::Receiver<bool> {
    let (teller, told) = watch::channel(false);
    std::mem::forget(teller);
    told
}
