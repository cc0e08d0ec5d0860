//! The run: every proxy under every load, in turn, round after round.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::load::held::{streams, talk, websockets};
use crate::load::{Load, Request, Target, closed, failed, open};
use crate::message::Member;
use crate::process::{Process, free_address};
use crate::proxies::{Job, Place, Proxy, Way};
use crate::results::Results;
use crate::tls::Pair;

/// What is measured, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The proxies.
    pub proxies: Vec<Proxy>,
    /// The loads.
    pub loads: Vec<Load>,
    /// How often each is measured.
    pub rounds: usize,
    /// How long a load goes on before it is measured, and then while it is.
    pub times: (Duration, Duration),
    /// How many event streams and WebSockets are held open.
    pub held: Option<(usize, usize)>,
    /// modegate's program.
    pub modegate: PathBuf,
}

/// What requests at a fixed rate are.
pub const SMALL: Load = Load::Message(400, Member::Last);
/// The body whose memory is looked at.
pub const BIG: usize = 20_000_000;
/// The names of what is held.
pub const HELD: [&str; 3] = ["start", "idle-streams", "websockets"];
/// How many messages are sent before a process's memory is looked at: what the first one takes it
/// keeps.
const FIRST: u64 = 16;

struct Bench<'p> {
    plan: &'p Plan,
    dir: TempDir,
    pair: Pair,
    origin: Process,
    results: Results,
    /// What failed once is not asked again.
    given_up: BTreeSet<(Proxy, String)>,
}

/// Runs the plan.
///
/// # Errors
/// Where the origin or a proxy does not start, or a proxy does not do its job.
pub async fn run(plan: &Plan) -> io::Result<Results> {
    let dir = TempDir::new()?;
    let pair = Pair::new(dir.path())?;
    let listen = free_address()?;
    let program = std::env::current_exe()?.into_os_string();
    let argv = [program, "origin".into(), listen.to_string().into()];
    let origin = Process::start("0", &argv, listen, &dir.path().join("origin.out"))?;
    let (results, given_up) = (Results::default(), BTreeSet::new());
    let mut bench = Bench { plan, dir, pair, origin, results, given_up };
    {
        let mut running = Vec::new();
        for proxy in &plan.proxies {
            let process = bench.start(*proxy)?;
            running.push((*proxy, process));
        }
        bench.check(&running).await?;
        bench.saturate(&running).await;
    }
    bench.wait().await;
    if let Some(held) = plan.held {
        for round in 0..plan.rounds {
            eprintln!("memory, round {} of {}", round + 1, plan.rounds);
            for proxy in plan.proxies.iter().filter(|proxy| !proxy.is_everywhere()) {
                bench.hold(*proxy, held).await;
            }
        }
    }
    Ok(bench.results)
}

type Running = [(Proxy, Option<Process>)];

impl Bench<'_> {
    fn start(&self, proxy: Proxy) -> io::Result<Option<Process>> {
        let place = Place {
            dir: self.dir.path(),
            origin: self.origin.address,
            modegate: &self.plan.modegate,
            pair: &self.pair,
        };
        proxy.start(&place)
    }

    fn target(&self, proxy: Proxy, process: Option<&Process>) -> Target {
        let address = process.map_or(self.origin.address, |process| process.address);
        let tls = (proxy == Proxy::Modegate(Way::Tls)).then(|| self.pair.client.clone());
        Target { address, tls }
    }

    fn gives_up(&mut self, proxy: Proxy, load: &str, error: &io::Error) {
        let failure = format!("{}, {load}: {error}", proxy.name());
        eprintln!("{failure}");
        self.results.failures.push(failure);
        self.given_up.insert((proxy, load.to_owned()));
    }

    /// Each does with each message what it is there for.
    async fn check(&self, running: &Running) -> io::Result<()> {
        for (proxy, process) in running {
            let target = self.target(*proxy, process.as_ref());
            for load in self.plan.loads.iter().filter(|load| proxy.takes(**load)) {
                let Load::Message(size, member) = *load else { continue };
                let mut request = load.request();
                let Request::Message(message) = &request else { continue };
                let (whole, without) = message.body;
                let mut wire = target.connect().await?;
                let arrived = closed::exchange(&mut wire, &mut request, 1, |_| ()).await;
                let arrived = arrived.map_err(|error| {
                    failed(format_args!("{}, {}: {error}", proxy.name(), load.name()))
                })?;
                let (bytes, mode) = arrived.split_once(' ').unwrap_or_default();
                let bytes: usize = bytes.parse().map_err(io::Error::other)?;
                let is_done = match proxy.job() {
                    Job::Pass => bytes == whole && mode == "none",
                    Job::Forward if member == Member::Last => bytes == whole && mode == "fast",
                    Job::Forward => bytes == whole && mode == "default",
                    // The others write the JSON anew.
                    Job::Strip => bytes <= without && 2 * bytes > size && mode == "default",
                };
                if !is_done {
                    let name = (proxy.name(), load.name());
                    return Err(failed(format_args!("{name:?} does no job: {arrived} of {whole}")));
                }
            }
        }
        Ok(())
    }

    /// As much of each load as each proxy takes.
    async fn saturate(&mut self, running: &Running) {
        for round in 0..self.plan.rounds {
            for load in self.plan.loads.clone() {
                eprintln!("round {} of {}: {}", round + 1, self.plan.rounds, load.name());
                for place in 0..running.len() {
                    // Back and forth, so that none is always measured after the same one.
                    let place = if round % 2 == 0 { place } else { running.len() - 1 - place };
                    let Some((proxy, process)) = running.get(place) else { continue };
                    self.saturate_one(*proxy, process.as_ref(), load).await;
                }
            }
        }
    }

    async fn saturate_one(&mut self, proxy: Proxy, process: Option<&Process>, load: Load) {
        let name = load.name();
        if !proxy.takes(load) || self.given_up.contains(&(proxy, name.clone())) {
            return;
        }
        let target = self.target(proxy, process);
        match closed::run(&target, load, self.plan.times, || meter(process)).await {
            Ok(served) => self.served(proxy, &name, &served, process),
            Err(error) => self.gives_up(proxy, &name, &error),
        }
    }

    fn served(
        &mut self,
        proxy: Proxy,
        load: &str,
        served: &closed::Served,
        process: Option<&Process>,
    ) {
        let units = served.units as f64;
        self.results.add(load, proxy.name(), "rps", units / served.lasted.as_secs_f64());
        if process.is_some() {
            let cpu = micros(served.metered) / units;
            self.results.add(load, proxy.name(), "cpu_us", cpu);
        }
    }

    /// What clients wait at half of what modegate serves at most, the same rate for all. Each proxy is
    /// alone then: what the others do while nothing is sent to them costs the core a moment too.
    async fn wait(&mut self) {
        let small = SMALL.name();
        let at_most = self.results.median(&small, Proxy::Modegate(Way::Strip).name(), "rps");
        let Some(rate) = at_most.map(|most| most / 2.0) else { return };
        self.results.add(&small, "rate", "rps", rate);
        for round in 0..self.plan.rounds {
            eprintln!("round {} of {}: {rate:.0} requests a second", round + 1, self.plan.rounds);
            for proxy in self.plan.proxies.iter().copied() {
                let name = format!("{small}-open");
                if proxy.is_everywhere() || self.given_up.contains(&(proxy, name.clone())) {
                    continue;
                }
                if let Err(error) = self.wait_for_one(proxy, rate).await {
                    self.gives_up(proxy, &name, &error);
                }
            }
        }
    }

    async fn wait_for_one(&mut self, proxy: Proxy, rate: f64) -> io::Result<()> {
        let process = self.start(proxy)?;
        let target = self.target(proxy, process.as_ref());
        let waited = open::run(&target, SMALL, rate, self.plan.times).await?;
        let all = [("p50_us", waited.p50), ("p99_us", waited.p99), ("p999_us", waited.p999)];
        for (what, waited) in all {
            self.results.add(&SMALL.name(), proxy.name(), what, micros(waited));
        }
        Ok(())
    }

    /// Memory, of a process that has done nothing else.
    async fn hold(&mut self, proxy: Proxy, (idle, sockets): (usize, usize)) {
        if proxy == Proxy::None {
            return;
        }
        for (name, count) in HELD.iter().zip([0, proxy.in_flight(idle), sockets]) {
            if self.given_up.contains(&(proxy, (*name).to_owned())) {
                continue;
            }
            if let Err(error) = self.hold_one(proxy, name, count).await {
                self.gives_up(proxy, name, &error);
            }
        }
    }

    async fn hold_one(&mut self, proxy: Proxy, name: &str, count: usize) -> io::Result<()> {
        let Some(process) = self.start(proxy)? else { return Ok(()) };
        let target = self.target(proxy, Some(&process));
        let (mut wire, mut request) = (target.connect().await?, SMALL.request());
        for number in 0..FIRST {
            closed::exchange(&mut wire, &mut request, number, |_| ()).await?;
        }
        process.forget_peak()?;
        let before = process.memory()?.now;
        if count == 0 {
            self.results.add(name, proxy.name(), "idle_kib", before as f64);
            let mut request = Load::Message(BIG, Member::Last).request();
            closed::exchange(&mut wire, &mut request, 0, |_| ()).await?;
            let more = process.memory()?.peak.saturating_sub(before) as f64 * 1024.0;
            self.results.add(name, proxy.name(), "bodies", more / BIG as f64);
            return Ok(());
        }
        drop(wire);
        let mut open = match name {
            "websockets" => websockets(&target, count).await?,
            _ => streams(&target, count).await?,
        };
        let more = process.memory()?.now.saturating_sub(before) as f64;
        self.results.add(name, proxy.name(), "connection_kib", more / count as f64);
        if name == "websockets" {
            let served = talk(&mut open, self.plan.times.1, || process.cpu()).await?;
            self.served(proxy, name, &served, Some(&process));
        }
        Ok(())
    }
}

fn meter(process: Option<&Process>) -> io::Result<Duration> {
    process.map_or(Ok(Duration::ZERO), Process::cpu)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
