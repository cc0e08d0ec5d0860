//! Measures modegate side by side with other proxies: one run, the same machine, rounds in turn.
//!
//! The load and the origin have core 0, each proxy has core 1 to itself. What a proxy costs is the
//! CPU time of its process over the requests that it served meanwhile: that repeats where requests
//! a second do not.

mod load;
mod machine;
mod message;
mod origin;
mod pass;
mod process;
mod proxies;
mod report;
mod results;
mod run;
mod targets;
mod tls;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use serde_json::json;

use load::{LOADS, Load, failed};
use machine::Machine;
use proxies::{PROXIES, Proxy};
use run::Plan;

/// modegate's own: the proxies of the rig are not to differ by it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Between these lines a document has the last report.
const MARKS: [&str; 2] = ["<!-- the rig's report -->", "<!-- the end of the report -->"];

#[derive(Parser)]
#[command(about = "Measures modegate side by side with other proxies")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure.
    Run(Run),
    /// Be the origin.
    Origin { listen: SocketAddr },
    /// Be hyper on pingora-core, passing through.
    Hyper(pass::Way),
    /// Be pingora-proxy, passing through.
    Pingora(pass::Way),
}

#[derive(Args)]
struct Run {
    /// modegate's program, a release build.
    #[arg(long, default_value = "target/release/modegate")]
    modegate: PathBuf,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Milliseconds that each measurement takes.
    #[arg(long, default_value_t = 600)]
    millis: u64,
    /// Only these proxies, by name.
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<String>,
    /// Only these loads, by name.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// Leave memory and held connections out.
    #[arg(long)]
    no_held: bool,
    /// Where `rig.json` and `rig.md` are written.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// A document whose report is replaced by this run's.
    #[arg(long)]
    into: Option<PathBuf>,
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Origin { listen } => block_on(origin::serve(listen)),
        Command::Hyper(way) => pass::hyper::serve(way),
        Command::Pingora(way) => pass::pingora::serve(way),
        Command::Run(arguments) => measure(&arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn block_on<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    raise_files()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// A file for each connection that is held; what a process may have its children may have.
fn raise_files() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

fn measure(arguments: &Run) -> io::Result<()> {
    if std::thread::available_parallelism()?.get() < 2 {
        return Err(failed(
            "two cores are needed: one for the proxy, one for the load and the origin",
        ));
    }
    let mut core = CpuSet::new();
    core.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &core)?;
    let files = raise_files()?;
    // A proxy has two for each, and some for itself; modegate keeps 256.
    let streams = usize::try_from((files - 512) / 2).unwrap_or(usize::MAX).min(10_000);
    let plan = Plan {
        proxies: chosen(&PROXIES, &arguments.proxies, |proxy| proxy.name().to_owned())?,
        loads: chosen(&LOADS, &arguments.loads, |load: &Load| load.name())?,
        rounds: arguments.rounds,
        times: (
            Duration::from_millis(arguments.millis / 4),
            Duration::from_millis(arguments.millis),
        ),
        held: (!arguments.no_held).then_some((streams, 1_000)),
        modegate: arguments.modegate.clone(),
    };
    complain_of_missing(&plan)?;
    let results = block_on(run::run(&plan))?;
    let machine = Machine::here();
    let text = report::report(&plan, &machine, &results);
    std::fs::create_dir_all(&arguments.out)?;
    let held =
        plan.held.map(|(streams, sockets)| json!({ "streams": streams, "websockets": sockets }));
    let whole =
        json!({ "machine": machine, "rounds": plan.rounds, "held": held, "results": results });
    std::fs::write(arguments.out.join("rig.json"), format!("{whole:#}\n"))?;
    std::fs::write(arguments.out.join("rig.md"), &text)?;
    println!("{text}");
    arguments.into.as_deref().map_or(Ok(()), |document| put(document, &text))
}

fn chosen<T: Copy>(all: &[T], names: &[String], name: impl Fn(&T) -> String) -> io::Result<Vec<T>> {
    if let Some(unknown) = names.iter().find(|wanted| all.iter().all(|one| name(one) != **wanted)) {
        let known: Vec<String> = all.iter().map(name).collect();
        return Err(failed(format_args!("{unknown} is none of {}", known.join(", "))));
    }
    let is_chosen = |one: &&T| names.is_empty() || names.contains(&name(one));
    Ok(all.iter().filter(is_chosen).copied().collect())
}

/// Everything that is missing, at once.
fn complain_of_missing(plan: &Plan) -> io::Result<()> {
    let mut missing = Vec::new();
    if !plan.modegate.exists() {
        missing.push(format!("{}: make release", plan.modegate.display()));
    }
    for (program, packages) in plan.proxies.iter().copied().filter_map(Proxy::needs) {
        if !Path::new(program).exists() {
            missing.push(format!("{program}: install Debian's {packages}"));
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(failed(format_args!("missing: {}", missing.join("; ")))),
    }
}

fn put(document: &Path, report: &str) -> io::Result<()> {
    let text = std::fs::read_to_string(document)?;
    let [begin, end] = MARKS;
    let parts = text.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| failed(format_args!("{MARKS:?} are not in it")))?;
    std::fs::write(document, format!("{before}{begin}\n\n{report}{end}{after}"))
}
