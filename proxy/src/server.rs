//! Puts the process together on pingora-core's server: bind first, serve later, drain at the end.

mod files;
mod listen;
mod prebound;
mod rollout;
mod shutdown;
mod take_over;
mod watches;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modegate_config::flags::FlagLayer;
use modegate_config::{Bind, Config, Listener};
use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{RunArgs, Server};
use pingora_core::services::background::GenBackgroundService;

use crate::admin::{Admin, Token};
use crate::data_plane::{Admission, ClientTls, DataPlane, Drain, Plane, ServerTls, Upstreams};
use crate::digest::DigestKey;
use crate::flags::{Reload, Settings, Store};
use crate::logging::Logging;
use crate::metrics::{Metrics, Sources};
use crate::parity::Parity;
use crate::traces::Traces;

pub use listen::Bound;
use listen::{Socket, bind};
use prebound::Prebound;
pub use shutdown::Stop;
use shutdown::{Calls, DrainFirst};
pub use take_over::NotHandedOver;
use take_over::{Inherited, take_over};
use watches::Watches;

/// What a process is started with.
#[derive(Debug)]
pub struct Start {
    /// The configuration's file, its text and what it says.
    pub file: (PathBuf, String, Config),
    /// What the environment says of the flags.
    pub environment: FlagLayer,
    /// The log.
    pub log: Logging,
    /// Whether the listening sockets go from process to process.
    pub hand_over: HandOver,
    /// What stops the process.
    pub stop: Stop,
    /// What the process is.
    pub role: Role,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves the configuration's listeners.
    Sidecar,
    /// It serves nothing but the admin API, and runs the rollout of the sidecars that Prometheus sees.
    Controller,
}

impl Role {
    fn serves(self, config: &Config) -> &[Listener] {
        match self {
            Role::Sidecar => &config.listeners,
            Role::Controller => &[],
        }
    }
}

/// How listening sockets go from one process to the next, over a unix socket at this path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// They do not.
    Off,
    /// SIGQUIT gives them to the next process.
    To(PathBuf),
    /// This process takes them from the running one, and can give them on.
    From(PathBuf),
}

/// Why a process did not start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// A process with its sockets bound, not serving yet.
pub struct App {
    server: Server,
    drain: Drain,
    admin_drain: Drain,
    metrics: Arc<Metrics>,
    traces: Traces,
    grace: Duration,
    calls: Calls,
    hands_over: bool,
    /// The listeners' addresses, in the order of the configuration.
    pub listeners: Vec<Bound>,
    /// The admin listener's address.
    pub admin: Bound,
}

impl App {
    /// Binds every socket and prepares every service.
    ///
    /// # Errors
    /// Where an address cannot be bound, an upstream or a file cannot be used, the flags of file and
    /// environment break a rule, or no process gives its sockets ([`NotHandedOver`]).
    pub fn new(start: Start) -> Result<App, StartError> {
        let (calls, (path, text, config)) = (start.stop.listen()?, start.file);
        let metrics = Metrics::new(config.contract.modes.clone());
        let (traces, export) = Traces::new(&config.traces, &metrics);
        let settings = Settings::new(&config);
        let store = Arc::new(Store::new(settings, config.flags.clone(), start.environment)?);
        let reload = Arc::new(Reload::new(path, text, config.clone(), start.log.clone()));
        let drain = Drain::new();

        let (mut server, coming) = (new_server(&config, &start.hand_over), Inherited::default());
        let bound = |bind_to: &Bind| match start.hand_over {
            HandOver::From(_) => Ok(Socket::inherited(bind_to, &coming)),
            HandOver::Off | HandOver::To(_) => bind(bind_to),
        };

        let client_tls = ClientTls::new(config.upstream.ca_file.as_deref())?;
        let mut watches = Watches::new(&config.flag_sources)?;
        let digests = Arc::new(DigestKey::default());
        let most_connections = files::most_connections(config.limits.connections);
        let mut app = DataPlane::build(drain.clone(), Admission::new(most_connections));
        let most_in_flight = files::most_in_flight(most_connections, &config.listeners);
        let served = start.role.serves(&config);
        let legs = served.iter().map(|listener| listener.leg);
        let parity = Arc::new(Parity::new(&config.parity, legs));
        let (mut sockets, mut listeners, mut places) = (Vec::new(), Vec::new(), 0);
        for listener in served {
            let upstreams = Upstreams::new(listener, &config.upstream, &client_tls, &mut places)?;
            if let Some(balancer) = upstreams.balancer() {
                server.add_service(GenBackgroundService::new("balancer".to_owned(), balancer));
            }
            let tls = listener.tls.as_ref().map(ServerTls::new).transpose()?.map(Arc::new);
            watches.certificates.extend(tls.clone());
            let plane = Arc::new(Plane {
                leg: listener.leg,
                allow: listener.allow.clone(),
                store: store.clone(),
                metrics: metrics.clone(),
                parity: parity.clone(),
                digests: digests.clone(),
                traces: traces.clone(),
                upstreams,
                tls,
                h2c: listener.h2c,
                most_in_flight,
            });
            let socket = bound(&listener.bind)?;
            match &socket.bound.bind {
                Bind::Tcp(address) => app.serve_tcp(*address, plane),
                Bind::Unix(path) => app.serve_unix(path, plane),
            }
            listeners.push(socket.bound.clone());
            sockets.push(socket);
        }
        let threads = threads(config.server.threads);
        server.add_service(Prebound::new("data", app, sockets, threads, &drain));

        let of = (&store, &metrics, &parity);
        let sources = Sources {
            metrics: metrics.clone(),
            rollout: rollout::start(&mut server, &config, start.role, of),
            flags: store,
            config: reload,
            parity,
            log: start.log,
            most_connections,
        };
        watches.start(&mut server, &sources, export);
        let socket = bound(&config.admin.bind)?;
        let admin_bound = socket.bound.clone();
        // It answers while the rest drains: its own drain is started by a hand-over, and the end.
        let admin_drain = Drain::new();
        server.add_service(admin(sources, &config, socket, (&drain, &admin_drain))?);
        listen(&start.hand_over, &coming, served, (&listeners, &admin_bound))?;

        Ok(App {
            server,
            drain,
            admin_drain,
            metrics,
            traces,
            grace: config.server.grace,
            calls,
            hands_over: start.hand_over != HandOver::Off,
            listeners,
            admin: admin_bound,
        })
    }

    /// Serves until the process is told to stop, and until what is in flight then has ended or
    /// the grace period is over.
    pub fn run(self) {
        let App { mut server, drain, admin_drain: admin, metrics, .. } = self;
        let (traces, grace, hands_over) = (self.traces, self.grace, self.hands_over);
        let calls = Mutex::new(Some(self.calls));
        server.bootstrap();
        let shutdown_signal =
            Box::new(DrainFirst { calls, drain, admin, metrics, traces, grace, hands_over });
        server.run(RunArgs { shutdown_signal });
    }
}

/// Waits for sockets that another process gives, and says where it listens.
fn listen(
    hand_over: &HandOver,
    coming: &Inherited,
    served: &[Listener],
    (listeners, admin): (&[Bound], &Bound),
) -> Result<(), StartError> {
    if let HandOver::From(path) = hand_over {
        let all = listeners.iter().chain([admin]);
        take_over(path, &all.map(|bound| bound.bind.clone()).collect::<Vec<_>>(), coming)?;
    }
    for (listener, bound) in served.iter().zip(listeners) {
        tracing::info!(leg = listener.leg.word(), address = %bound, "listening");
    }
    tracing::info!(address = %admin, "admin listening");
    Ok(())
}

/// The admin API on its socket. It says whether the first drain has started, and ends by the second.
fn admin(
    sources: Sources,
    config: &Config,
    socket: Socket,
    (drain, own): (&Drain, &Drain),
) -> Result<Prebound<Admin>, StartError> {
    let token = Token::read(config.admin.token_file.as_deref())?;
    let admin = Admin::new(sources, &config.admin, token, drain.clone());
    Ok(Prebound::new("admin", admin, vec![socket], 1, own))
}

fn threads(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn new_server(config: &Config, hand_over: &HandOver) -> Server {
    let mut conf = ServerConf {
        threads: 1,
        work_stealing: false,
        // Waited out only after a hand-over; a stop drains first, see `shutdown`.
        grace_period_seconds: Some(config.server.grace.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    };
    if let HandOver::To(socket) | HandOver::From(socket) = hand_over {
        conf.upgrade_sock = socket.to_string_lossy().into_owned();
    }
    Server::new_with_opt_and_conf(Opt::default(), conf)
}
