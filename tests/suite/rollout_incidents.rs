//! The incident of a fleet: the controller counts by Prometheus, and asks the sidecars themselves for
//! requests that show what went wrong.

use std::sync::Arc;
use std::time::Duration;

use modegate_filters::rollout::incident::{Incident, Trigger};
use serde_json::{Value, json};

use crate::control_process::command;
use crate::harness::{
    Address, Client, Modegate, Prometheus, Start, TempDir, eventually_within, listener,
};
use crate::parity::chain::{Chain, ROUTES, Say};
use crate::parity::fault::{Fault, Treatment};

/// Prometheus looks for what to scrape after five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const PLAN: &str = "[rollout.timing]\ntick = \"500ms\"\nsettle = \"0s\"\n\
    [[rollout.stage]]\nname = \"watch\"\nstep = \"observability\"\ncontract = true\n\
    runtime = true\ngates = [\"parity\"]\n\
    [[rollout.stage]]\nname = \"all\"\nstep = \"canary\"\ncontract = true\nruntime = true\n\
    percent = 100.0\ngates = [\"parity\"]\n";

/// A sidecar of the fleet, between servers that do so with what is in fast mode.
async fn sidecar(document: &str, fault: Fault) -> Chain {
    let sources = format!("[flag_sources]\nfile = \"{document}\"\n");
    Chain::start(&sources, move |message| match message.is_fast() {
        true => Treatment::new(fault.clone()),
        false => Treatment::default(),
    })
    .await
}

async fn order(controller: &Modegate, verb: &str) {
    let body = json!({ "actor": "ann", "reason": "a test" });
    let answer = controller.call("POST", &format!("/rollout/{verb}"), Some(body)).await;
    assert_eq!(answer.status, 200, "{verb}: {}", answer.text());
}

async fn observes(controller: &Modegate, stage: &str) {
    eventually_within(PATIENCE, &format!("observing in {stage}"), async || {
        let now = controller.call("GET", "/rollout", None).await.json();
        (now["phase"] == "observing" && now["stage"]["name"] == stage).then_some(())
    })
    .await;
}

/// The only incident, once requests show it.
async fn shown(controller: &Modegate) -> Incident {
    eventually_within(PATIENCE, "an incident with requests that show it", async || {
        let listed = controller.call("GET", "/incidents", None).await.json();
        let id = listed["incidents"][0]["id"].as_str()?.to_owned();
        let whole = controller.call("GET", &format!("/incidents/{id}.json"), None).await.json();
        let incident: Incident = serde_json::from_value(whole).expect("an incident");
        (!incident.exemplars.is_empty()).then_some(incident)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_request_that_lost_its_mode_is_in_the_controllers_report() {
    let dir = Arc::new(TempDir::new());
    let document = dir.path().join("flags.json").display().to_string();
    let clean = sidecar(&document, Fault::None).await;
    let faulty = sidecar(&document, Fault::LoseMode).await;
    let admins: Vec<&Address> = [&clean, &faulty].map(|one| one.modegate.admin()).to_vec();
    let prometheus = Prometheus::of(&admins, "1s").await;
    let config = format!(
        "[rollout]\nenabled = true\nstate_dir = \"{{dir}}/state\"\ndocument = \"{document}\"\n\
         prometheus = \"http://{}\"\n{PLAN}\n{}",
        prometheus.address(),
        listener("frontend", "http://127.0.0.1:1"),
    );
    let mut controller = Start::within(&config, dir.clone()).controller().run().await;
    order(&controller, "start").await;
    observes(&controller, "watch").await;
    order(&controller, "advance").await;
    observes(&controller, "all").await;

    let say = Say { route: &ROUTES[0], conversation: "c-1", text: "a text", mode: Some("fast") };
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let request = say.request().header("traceparent", &parent);
    let answer = Client::once(faulty.modegate.frontend(), request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kept = faulty.modegate.call("GET", "/parity", None).await.json();
    assert_eq!(kept["mismatches"][0]["trace_id"], TRACE, "{kept:#}");

    let incident = shown(&controller).await;
    assert_eq!(incident.trigger, Trigger::Mismatch, "{incident:#?}");
    assert!(!incident.after.is_exposed(), "{incident:#?}");
    let [one] = incident.exemplars.as_slice() else { panic!("not one: {incident:#?}") };
    assert_eq!([&*one.leg, &*one.what, &*one.trace_id], ["bridge", "mode_missing", TRACE]);
    assert_eq!([&*one.expected, &*one.found], ["fast", "none"]);
    assert_eq!(Value::from(&*one.request_id), kept["mismatches"][0]["found"]["request_id"]);
    let row = format!("| {} | {TRACE} |", one.request_id);
    // It is written after the JSON.
    eventually_within(PATIENCE, "the request in the report", async || {
        let target = format!("/incidents/{}.md", incident.id);
        let report = controller.call("GET", &target, None).await;
        report.text().contains(&row).then_some(())
    })
    .await;

    // What came from outside is in the audit, and decides the same again.
    assert_eq!(controller.terminate().await, Some(0));
    let audit = dir.path().join("state/audit.jsonl").display().to_string();
    let replayed = command(&["rollout", "replay", "--quiet", &audit], "").await;
    assert_eq!(replayed.code, Some(0), "{}{}", replayed.stdout, replayed.stderr);
    assert!(std::fs::read_to_string(&audit).expect("an audit").contains("\"shown\""));
}
