//! A fleet of three sidecars, a real Prometheus and the controller: what it orders reaches all of them,
//! by a shared file or over OFREP, and how long a rollback takes from its acceptance to the last message
//! in fast mode, under load. The times are printed, and nothing is asserted of them.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::control_process::FAST;
use crate::harness::{
    Address, Answer, Client, Gone, Modegate, Origin, Prometheus, Request, Start, TempDir,
    eventually_within, listener, settings,
};

/// How often each measured rollback is done; the variable gives another number.
const ROUNDS: usize = 3;
const MORE_ROUNDS: &str = "MODEGATE_ROLLBACKS";
/// Prometheus looks for what to scrape after five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const STAGES: &str = "[rollout.timing]\ntick = \"200ms\"\nsettle = \"0s\"\ncool_down = \"0s\"\n\
    [[rollout.stage]]\nname = \"watch\"\nstep = \"observability\"\ncontract = true\n\
    runtime = true\ngates = [\"parity\"]\n\
    [[rollout.stage]]\nname = \"all\"\nstep = \"canary\"\ncontract = true\nruntime = true\n\
    percent = 100.0\ngates = [\"parity\"]\n";

/// What arrives at the origin in fast mode.
#[derive(Default)]
struct Fast {
    count: AtomicU64,
    last: Mutex<Option<Instant>>,
}

async fn origin() -> (Origin, Arc<Fast>) {
    let fast = Arc::new(Fast::default());
    let seen = fast.clone();
    let origin = Origin::start(move |received| {
        if received.header("x-processing-mode") == Some("fast") {
            seen.count.fetch_add(1, Relaxed);
            *seen.last.lock().expect("no panic") = Some(Instant::now());
        }
        Answer::ok("{}")
    })
    .await;
    (origin, fast)
}

/// Clients that send to these, one after the other, until they are told to stop.
struct Load {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
}

impl Load {
    fn on(frontends: &[Address]) -> Load {
        let (mut clients, stop) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for (at, address) in frontends.iter().cycle().take(6).enumerate() {
            let (address, stop) = (address.clone(), stop.clone());
            clients.spawn(async move {
                let mut client = Client::connect(&address).await;
                let mut round = 0;
                while !stop.load(Relaxed) {
                    let target = format!("/api/conversations/{at}-{round}/messages");
                    client.write(Request::post(&target, FAST).bytes()).await;
                    assert_eq!(client.response().await.status, 200);
                    round += 1;
                }
            });
        }
        Load { clients, stop }
    }

    async fn end(mut self) {
        self.stop.store(true, Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client that was answered");
        }
    }
}

async fn order(controller: &Modegate, verb: &str) -> Value {
    let body = json!({ "actor": "ann", "reason": "a test" });
    let answer = controller.call("POST", &format!("/rollout/{verb}"), Some(body)).await;
    assert_eq!(answer.status, 200, "{verb}: {}", answer.text());
    answer.json()
}

async fn reaches(controller: &Modegate, phase: &str, stage: &str) {
    eventually_within(PATIENCE, &format!("{phase} in {stage}"), async || {
        let now = controller.call("GET", "/rollout", None).await.json();
        (now["phase"] == phase && now["stage"]["name"] == stage).then_some(())
    })
    .await;
}

/// Rolls out to everybody and back, so often; the time of each from the order's answer to the last
/// message in fast mode at the origin.
async fn rollbacks(controller: &Modegate, frontends: &[Address], fast: &Fast) -> Vec<Duration> {
    let rounds = std::env::var(MORE_ROUNDS).ok().and_then(|text| text.parse().ok());
    let mut took = Vec::new();
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        order(controller, "start").await;
        reaches(controller, "observing", "watch").await;
        order(controller, "advance").await;
        reaches(controller, "observing", "all").await;
        let load = Load::on(frontends);
        let before = fast.count.load(Relaxed);
        eventually_within(PATIENCE, "messages in fast mode", async || {
            (fast.count.load(Relaxed) > before + 300).then_some(())
        })
        .await;
        order(controller, "rollback").await;
        let accepted = Instant::now();
        reaches(controller, "rolled_back", "all").await;
        let confirmed = fast.count.load(Relaxed);
        let last = fast.last.lock().expect("no panic").expect("a message in fast mode");
        took.push(last.saturating_duration_since(accepted));
        load.end().await;
        assert_eq!(fast.count.load(Relaxed), confirmed, "in fast mode after the confirmation");
    }
    took.sort_unstable();
    took
}

fn print(of: &str, took: &[Duration]) {
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    let (n, least, median, p95) = (took.len(), at(0), at(50), at(95));
    println!(
        "{of}: {n} rollbacks, to the last: {least:?} to {:?}, median {median:?}, p95 {p95:?}",
        at(100)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sidecar_is_back_when_the_order_is_answered() {
    let (origin, fast) = origin().await;
    let plan = format!("[rollout]\nenabled = true\nstate_dir = \"{{dir}}/state\"\n{STAGES}");
    let modegate = Modegate::start(&settings(&origin, &plan)).await;
    let frontends = [modegate.frontend().clone()];
    print("one sidecar", &rollbacks(&modegate, &frontends, &fast).await);
}

/// How a fleet's sidecars get the document.
enum By {
    File,
    Ofrep,
}

async fn fleet(by: By) {
    let (origin, fast) = origin().await;
    let shared = Arc::new(TempDir::new());
    let document = shared.path().join("flags.json").display().to_string();
    // The controller's admin address is known before it is there, where sidecars ask it.
    let admin = Gone::new();
    let address = admin.address();
    let sources = match by {
        By::File => format!("[flag_sources]\nfile = \"{document}\"\n"),
        By::Ofrep => {
            format!("[flag_sources]\nremote = \"http://{address}\"\ninterval = \"1s\"\n")
        }
    };
    let mut sidecars = Vec::new();
    for _ in 0..3 {
        sidecars.push(Modegate::start(&settings(&origin, &sources)).await);
    }
    let admins: Vec<&Address> = sidecars.iter().map(Modegate::admin).collect();
    let prometheus = Prometheus::of(&admins, "1s").await;
    let config = format!(
        "[rollout]\nenabled = true\nstate_dir = \"{{dir}}/state\"\ndocument = \"{document}\"\n\
         prometheus = \"http://{}\"\n{}\n{}\n[admin]\nbind = \"{address}\"\n\
         token_file = \"{{dir}}/token\"\n",
        prometheus.address(),
        STAGES.replace("200ms", "500ms"),
        listener("frontend", &origin.url()),
    );
    let controller = Start::new(&config).controller().run().await;
    let frontends: Vec<Address> = sidecars.iter().map(|one| one.frontend().clone()).collect();
    let took = rollbacks(&controller, &frontends, &fast).await;
    let way = if matches!(by, By::File) { "by file" } else { "over OFREP, asked each second" };
    print(&format!("three sidecars {way}"), &took);
    let seen = controller.call("GET", "/rollout", None).await.json();
    assert_eq!(seen["instances"].as_array().map(Vec::len), Some(3), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_sidecars_follow_a_shared_file() {
    fleet(By::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_sidecars_follow_the_controller_over_ofrep() {
    fleet(By::Ofrep).await;
}
