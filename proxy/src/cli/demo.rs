//! `modegate demo`: the three legs in one process, in front of embedded origins.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use modegate_config::flags::FlagLayer;
use modegate_config::{Bind, Config};
use tokio::sync::watch;

use super::Failure;
use crate::demo::{Hints, Origins, Sidecar, parity, walk};
use crate::logging;
use crate::server::{App, Bound, HandOver, Role, Start, Stop};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// End after the walk instead of serving on.
    #[arg(long)]
    once: bool,
}

impl DemoArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(failed)?;
        let mut origins = runtime.block_on(Origins::bind()).map_err(failed)?;
        let token = Secret::write().map_err(failed)?;
        let (stop, told) = watch::channel(false);
        let app = app(&origins, &token, told)?;
        let legs: Vec<SocketAddr> = app.listeners.iter().filter_map(tcp).collect();
        let (&[frontend, bridge, runtime_leg], Some(admin)) = (legs.as_slice(), tcp(&app.admin))
        else {
            return Err(Failure::Failed("the demo's listeners are not bound".to_owned()));
        };
        let serving = std::thread::spawn(|| app.run());

        let walked = runtime.block_on(async {
            origins.serve(&format!("http://{bridge}"), &format!("http://{runtime_leg}"));
            let sidecar = Sidecar { frontend, runtime_leg, admin, token: token.text.clone() };
            let mut walked = walk(&sidecar, &origins, &mut std::io::stdout()).await;
            if walked.is_ok() {
                walked = parity(&sidecar, &origins, &mut std::io::stdout()).await;
            }
            if walked.is_ok() && !self.once {
                let hints = Hints { frontend, runtime_leg, admin, token_file: &token.path };
                let mut out = std::io::stdout();
                hints.write(&mut out).map_err(failed)?;
                writeln!(out, "\nServing until interrupted (Ctrl-C).").map_err(failed)?;
                let _ = tokio::signal::ctrl_c().await;
            }
            walked.map_err(failed)
        });
        stop.send_replace(true);
        let served = serving.join();
        runtime.block_on(origins.stop());
        served.map_err(|_| Failure::Failed("the server panicked".to_owned()))?;
        walked
    }
}

fn app(origins: &Origins, token: &Secret, told: watch::Receiver<bool>) -> Result<App, Failure> {
    let text = configuration(origins, token);
    let config = Config::parse(&text).map_err(|report| Failure::Failed(report.to_string()))?;
    let start = Start {
        file: (PathBuf::from("demo.toml"), text, config),
        environment: FlagLayer::default(),
        log: logging::silent(),
        hand_over: HandOver::Off,
        stop: Stop::Told(told),
        role: Role::Sidecar,
    };
    App::new(start).map_err(|error| Failure::Failed(error.to_string()))
}

fn configuration(origins: &Origins, token: &Secret) -> String {
    let listener = |leg: &str, upstream: SocketAddr| {
        format!(
            "[[listener]]\nleg = \"{leg}\"\nbind = \"127.0.0.1:0\"\nupstream = \"http://{upstream}\"\n\n"
        )
    };
    let Origins { api, cloud, runtime, .. } = origins;
    let token_file = token.path.display();
    format!(
        "[canary]\npercent = 50\n\n[parity]\non_mismatch = \"repair\"\n\n[profiles.fast-v1]\nmode = \"fast\"\n\n[server]\nthreads = 1\ngrace = \"2s\"\n\n\
         [admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{token_file}\"\n\n{}{}{}",
        listener("frontend", *api),
        listener("bridge", *cloud),
        listener("runtime", *runtime),
    )
}

fn tcp(bound: &Bound) -> Option<SocketAddr> {
    match &bound.bind {
        Bind::Tcp(address) => Some(*address),
        Bind::Unix(_) => None,
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// An admin token in a file that only its owner reads, removed at the end.
struct Secret {
    text: String,
    path: PathBuf,
}

impl Secret {
    fn write() -> std::io::Result<Secret> {
        use std::os::unix::fs::OpenOptionsExt;
        let text = uuid::Uuid::new_v4().simple().to_string();
        let path = std::env::temp_dir().join(format!("modegate-demo-{}.token", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(Secret { text, path })
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // A file that is gone already is gone.
        let _ = std::fs::remove_file(&self.path);
    }
}
