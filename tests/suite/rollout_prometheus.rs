//! What looks at a real Prometheus see of real sidecars: all that clients sent, once, whatever begins
//! again; and that nothing is seen where there is nobody to ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use modegate::rollout::prometheus::{Fault, Prometheus as Source};
use modegate_config::Endpoint;
use modegate_filters::rollout::looks::Looks;
use modegate_filters::rollout::observe::{Arm, Observations, Side};

use crate::control_process::{FAST, ROUTE};
use crate::harness::{
    Address, Answer, Client, Gone, Modegate, Origin, Prometheus, Request, eventually_within,
    settings,
};

/// `user-2` is canary, `user-1` control, by their published ranks.
const SETTINGS: &str = "[flags]\ncontract = true\nruntime = true\n[canary]\npercent = 50\n\
     salt = \"fast-mode/2026-12\"\nkey = [\"header:x-user\"]\n";
const USERS: [&str; 2] = ["user-2", "user-1"];
/// Prometheus looks for what to scrape after five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sidecar whose admin API is at this address, and so its instance.
async fn sidecar(origin: &Origin, admin: &str) -> Modegate {
    let admin = format!("[admin]\nbind = \"{admin}\"\ntoken_file = \"{{dir}}/token\"\n");
    Modegate::start(&settings(origin, &format!("{SETTINGS}{admin}"))).await
}

/// An origin that fails where the request says so.
async fn failing() -> Origin {
    Origin::start(|received| match received.header("x-fail") {
        Some("yes") => Answer::status("500 Internal Server Error", "", "{}"),
        _ => Answer::ok("{}"),
    })
    .await
}

/// What clients sent of each user, and how much of it failed.
#[derive(Default)]
struct Sent {
    requests: [AtomicU64; 2],
    errors: [AtomicU64; 2],
}

impl Sent {
    async fn send(&self, to: &Address, rounds: u64) {
        for round in 0..rounds {
            for (at, user) in USERS.into_iter().enumerate() {
                // The canary fails more often.
                let fails = round % (2 + at as u64) == 0;
                let text = FAST.replace("hi", &format!("{user} {round}"));
                let request = Request::post(ROUTE, text).header("X-User", user);
                let request = request.header("X-Fail", if fails { "yes" } else { "no" });
                let answer = Client::once(to, request).await;
                assert_eq!(answer.status, if fails { 500 } else { 200 });
                self.requests[at].fetch_add(1, Relaxed);
                self.errors[at].fetch_add(u64::from(fails), Relaxed);
            }
        }
    }

    fn counts(&self) -> [(u64, u64); 2] {
        [0, 1].map(|at| (self.requests[at].load(Relaxed), self.errors[at].load(Relaxed)))
    }
}

/// All that looks saw.
struct Seen {
    source: Source,
    looks: Looks,
    arms: [(u64, u64); 2],
    firsts: [u64; 2],
    hop: [Side; 2],
    fast_left: u64,
}

impl Seen {
    fn new(prometheus: &Prometheus) -> Seen {
        let address = prometheus.address().tcp();
        let endpoint = Endpoint { host: address.ip().to_string(), port: address.port() };
        Seen {
            source: Source::new(&endpoint, "modegate"),
            looks: Looks::default(),
            arms: [(0, 0); 2],
            firsts: [0; 2],
            hop: [Side::default(); 2],
            fast_left: 0,
        }
    }

    async fn look(&mut self) -> Observations {
        let (samples, age) = self.source.samples().await.expect("an answer");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let seen = self.looks.look(now.try_into().expect("a moment"), samples, age);
        let firsts = |arm: &Arm| arm.replicates.iter().map(|part| part.firsts).sum::<u64>();
        let hop = &seen.hops[0];
        for (at, (arm, side)) in
            [(&seen.canary, hop.canary), (&seen.control, hop.control)].into_iter().enumerate()
        {
            self.arms[at].0 += arm.requests();
            self.arms[at].1 += arm.errors();
            self.firsts[at] += firsts(arm);
            assert_eq!(firsts(arm), arm.first.iter().sum::<u64>());
            self.hop[at].requests += side.requests;
            self.hop[at].errors += side.errors;
            self.hop[at].answered += side.answered;
        }
        self.fast_left += seen.fast_left;
        seen
    }

    /// Looks until everybody is as expected, in the order of the names.
    async fn until(&mut self, what: &str, up: &[bool]) -> Observations {
        eventually_within(PATIENCE, what, async || {
            let seen = self.look().await;
            let are: Vec<bool> = seen.instances.iter().map(|instance| instance.up).collect();
            (are == up).then_some(seen)
        })
        .await
    }

    /// Looks until all that was sent was seen, and then some more.
    async fn all(&mut self, sent: &Sent) {
        eventually_within(PATIENCE, "all that was sent", async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.look().await;
            (self.arms == sent.counts()).then_some(())
        })
        .await;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            self.look().await;
        }
        assert_eq!(self.arms, sent.counts(), "nothing is seen twice");
        for (at, (requests, errors)) in self.arms.into_iter().enumerate() {
            assert_eq!(self.firsts[at], requests - errors);
            let Side { requests: ended, errors: failed, answered, .. } = self.hop[at];
            assert_eq!((ended, failed, answered), (requests, errors, requests));
        }
        assert_eq!(self.fast_left, self.arms[0].0);
    }
}

#[tokio::test]
async fn all_that_was_sent_is_seen_once() {
    let origin = failing().await;
    // One of them comes back where it was.
    let ports = [Gone::new(), Gone::new(), Gone::new()];
    let mut sidecars = Vec::new();
    for port in &ports {
        sidecars.push(sidecar(&origin, &port.address().to_string()).await);
    }
    sidecars.sort_by_key(|sidecar| sidecar.admin().to_string());
    let targets: Vec<&Address> = sidecars.iter().map(Modegate::admin).collect();
    let prometheus = Prometheus::of(&targets, "1s").await;
    let mut seen = Seen::new(&prometheus);
    let first = seen.until("three sidecars", &[true; 3]).await;
    assert_eq!(first.instances[0].name, sidecars[0].admin().to_string());
    assert!(first.age.is_some_and(|age| age < 10_000), "{:?}", first.age);
    assert!(first.instances.iter().all(|one| one.breaker.is_none() && !one.overridden));
    let sent = Arc::new(Sent::default());

    // Under load, for some scrapes.
    let load: Vec<_> = sidecars
        .iter()
        .map(|sidecar| {
            let (sent, address) = (sent.clone(), sidecar.frontend().clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    sent.send(&address, 5).await;
                    tokio::time::sleep(Duration::from_millis(150)).await;
                }
            })
        })
        .collect();
    while load.iter().any(|load| !load.is_finished()) {
        seen.look().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    for load in load {
        load.await.expect("no fault");
    }
    // What one counts after its last scrape is lost with it: so all is scraped before.
    seen.all(&sent).await;

    let last = sidecars.pop().expect("three");
    let admin = last.admin().to_string();
    drop(last);
    sent.send(sidecars[0].frontend(), 7).await;
    seen.until("one that is down", &[true, true, false]).await;
    let last = sidecar(&origin, &admin).await;
    // More than it counted before, so that no count falls.
    sent.send(last.frontend(), 150).await;
    sent.send(sidecars[1].frontend(), 3).await;
    seen.all(&sent).await;
    last.flag("ui", true).await;
    eventually_within(PATIENCE, "an override", async || {
        let seen = seen.look().await;
        seen.instances.iter().map(|one| one.overridden).eq([false, false, true]).then_some(())
    })
    .await;

    drop(prometheus);
    let nothing = seen.source.samples().await;
    assert!(matches!(nothing, Err(Fault::Unreachable(_))), "{nothing:?}");
}

#[tokio::test]
async fn native_histograms_are_counted_as_well() {
    let origin = failing().await;
    let sidecar = sidecar(&origin, "127.0.0.1:0").await;
    let prometheus = Prometheus::native(&[sidecar.admin()], "1s").await;
    let mut seen = Seen::new(&prometheus);
    seen.until("the sidecar", &[true]).await;
    let classic = prometheus.query("count(modegate_rollout_first_seconds_bucket)").await;
    assert!(classic.is_empty(), "the native form only: {classic:?}");
    let sent = Sent::default();
    for _ in 0..3 {
        sent.send(sidecar.frontend(), 20).await;
        seen.all(&sent).await;
    }
}

#[tokio::test]
async fn a_job_that_nobody_has_and_an_instance_that_is_none_of_ours() {
    let origin =
        Origin::start(|_| Answer::status("200 OK", "Content-Type: text/plain\r\n", "a 1\n")).await;
    let stranger = Address::parse(origin.url().trim_start_matches("http://"));
    let prometheus = Prometheus::of(&[&stranger], "1s").await;
    let Seen { source, .. } = Seen::new(&prometheus);
    let fault =
        eventually_within(PATIENCE, "a scrape", async || source.samples().await.err()).await;
    match fault {
        Fault::Instance { name, why } => {
            assert_eq!(name, stranger.to_string());
            assert!(why.contains("modegate_requests_total"), "{why}");
        }
        fault => panic!("{fault}"),
    }
    let address = prometheus.address().tcp();
    let endpoint = Endpoint { host: address.ip().to_string(), port: address.port() };
    let nobody = Source::new(&endpoint, "nobody\"s").samples().await.expect("an answer");
    assert_eq!(nobody, (Vec::new(), None));
}
