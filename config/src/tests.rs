//! The example, the fixtures, and that no text at all makes the reader panic.
//!
//! Each `fixtures/invalid/*.toml` stands beside a `.txt` with the exact report; each
//! `fixtures/valid/*.toml` has its assertion here.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modegate_filters::allow::Call;
use modegate_filters::bucket::KeySource;
use modegate_filters::contract::Downgrade;
use modegate_filters::fingerprint::{canonical, fingerprint};
use modegate_filters::rollout::plan::{Approval, Blind, Plan};
use modegate_filters::route::Leg;
use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = include_str!("../modegate.example.toml");
const LEAST: &str =
    "[[listener]]\nleg = \"runtime\"\nbind = \"127.0.0.1:0\"\nupstream = \"unix:/a\"\n";

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    files.sort();
    files
}

fn valid(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/valid").join(name);
    Config::parse(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|report| panic!("{name}:\n{report}"))
}

/// The keys that a section of this text could have: the reader's own list, out of its report.
fn known_keys(text: &str) -> Vec<String> {
    let report = Config::parse(text).unwrap_err();
    let unknown = report.faults().iter().find(|fault| fault.path.ends_with("zzz")).unwrap();
    unknown.allowed.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_example_is_the_defaults() {
    let example = Config::parse(EXAMPLE).unwrap_or_else(|report| panic!("{report}"));
    let least = Config::parse(LEAST).unwrap();
    let legs: Vec<Leg> = example.listeners.iter().map(|listener| listener.leg).collect();
    assert_eq!(legs, Leg::ALL);

    assert!(Flag::ALL.into_iter().all(|flag| example.flags.get(flag) == Some(false)));
    assert!(least.flags.is_empty());
    let said =
        Config { listeners: least.listeners.clone(), flags: FlagLayer::default(), ..example };
    assert_eq!(said, least);
}

#[test]
fn the_example_has_every_key() {
    let sections = known_keys("zzz = 1");
    assert_eq!(sections.len(), 16, "{sections:?}");
    let inner = ["rollout.thresholds", "rollout.timing", "rollout.stage"].map(str::to_owned);
    for section in sections.into_iter().chain(inner) {
        let header = match section.as_str() {
            "profiles" => "[profiles.fast-v1]".to_owned(),
            "listener" | "rollout.stage" => format!("[[{section}]]"),
            other => format!("[{other}]"),
        };
        let (_, from) =
            EXAMPLE.split_once(&format!("{header}\n")).unwrap_or_else(|| panic!("no {header}"));
        let body: Vec<&str> = from
            .lines()
            .map(|line| line.trim_start_matches("# "))
            .take_while(|line| !line.starts_with('['))
            .collect();
        let table = |key: &str| EXAMPLE.contains(&format!("[{section}.{key}]"));
        for key in known_keys(&format!("{header}\nzzz = 1")) {
            let has = body.iter().any(|line| line.starts_with(&format!("{key} = ")));
            assert!(has || table(&key), "{header} lacks {key}");
        }
    }
}

#[test]
fn the_examples_profile_can_be_switched_on() {
    let text = EXAMPLE
        .replace("# [profiles.fast-v1]", "[profiles.fast-v1]")
        .replace("# mode = ", "mode = ")
        .replace("# description = ", "description = ");
    let config = Config::parse(&text).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.contract.profiles.keys().collect::<Vec<_>>(), ["fast-v1"]);
}

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

#[test]
fn valid_files() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let mut seen = BTreeSet::new();
    let mut read = |name: &'static str| {
        seen.insert(name);
        valid(name)
    };

    let least = read("least.toml");
    assert_eq!(least.listeners.len(), 1);
    assert_eq!(least.timeouts.pool_idle, Duration::from_secs(4));
    assert_eq!(least.timeouts.stream_idle, None);
    assert_eq!(least.upstream.health_interval, Some(Duration::from_secs(5)));
    assert_eq!(least.limits.body_memory, 256 << 20);
    assert_eq!(
        (least.limits.connections_per_address, least.limits.upload_rate),
        (5000, Some(1024))
    );
    assert_eq!((least.admin.token_file, least.upstream.ca_file), (None, None));

    let full = read("everything_changed.toml");
    assert_eq!((&*full.contract.field, full.contract.downgrade), ("x-mode", Downgrade::Strip));
    assert_eq!(full.contract.body_limit, 1 << 30);
    assert_eq!(full.contract.runtime_body_limit, 2 << 20);
    let turbo = full.contract.modes.find("turbo").unwrap();
    assert_eq!(full.contract.profiles.get("turbo/v1").map(|profile| profile.mode), Some(turbo));
    let flags = flags::fold([&full.flags].into_iter());
    assert!(flags.contract && flags.runtime && flags.ui && flags.cloud_enforced && flags.kill);
    assert_eq!(full.canary.salt, "näxt");
    assert_eq!(full.canary.share.percent(), 12.5);
    let header = KeySource::Header(http::HeaderName::from_static("x-user-id"));
    assert_eq!(full.canary.keys, [header, KeySource::Room]);
    assert_eq!(full.canary.allow.len(), 1);
    assert!(full.canary.deny.contains("room-2"));
    assert_eq!(
        full.parity,
        Parity {
            window: Duration::from_millis(1500),
            exclusive: false,
            on_mismatch: OnMismatch::Repair,
            records: 2048,
            memory: 2 << 20,
        }
    );
    assert_eq!(full.server, Server { threads: 4, grace: Duration::ZERO });
    assert_eq!(full.timeouts.stream_idle, Some(minutes(10)));
    assert_eq!(full.timeouts.upgrade_idle, Some(minutes(60)));
    assert_eq!(full.limits.body_memory, 4 << 30);
    assert_eq!((full.limits.pool_connections, full.limits.streams), (0, 1));
    assert_eq!((full.limits.connections_per_address, full.limits.upload_rate), (2, None));
    assert_eq!(full.upstream.ca_file.as_deref(), Some(Path::new("/etc/modegate/roots.pem")));
    assert_eq!(full.upstream.health_interval, None);
    assert_eq!(full.log, Log { level: "warn,modegate=trace".to_owned(), access: false });
    assert_eq!(full.admin.bind.to_string(), "0.0.0.0:9000");
    assert_eq!(full.admin.hosts, [host("modegate.internal:9000"), host("[::1]")]);
    assert_eq!(full.admin.override_limit, minutes(30));

    let listeners = read("listeners.toml").listeners;
    assert_eq!(listeners.len(), 4);
    assert_eq!(listeners[0].bind, Bind::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))));
    assert_eq!(listeners[1].bind, listeners[0].bind);
    assert_eq!(listeners[2].bind, Bind::Unix(PathBuf::from("/run/modegate.sock")));
    let allowed = ["GET /health", "POST /api/snapshot"].map(|call| Call::parse(call).unwrap());
    assert_eq!(listeners[3].allow, allowed);
    let authorities: Vec<String> =
        listeners.iter().flat_map(|l| &l.upstreams).map(Upstream::authority).collect();
    assert_eq!(
        authorities,
        ["api:2138", "[::1]:2139", "localhost", "cloud.example", "cloud.example:8443", "localhost"]
    );

    let tls = listeners[0].tls.as_ref().unwrap();
    assert_eq!((&tls.cert, &tls.key), (&PathBuf::from("cert.pem"), &PathBuf::from("key.pem")));
    assert_eq!(tls.client_ca.as_deref(), Some(Path::new("clients.pem")));
    assert_eq!(listeners[1].tls.as_ref().unwrap().client_ca, None);
    assert_eq!((&listeners[2].tls, listeners[2].h2c, listeners[3].h2c), (&None, false, true));

    let inline = read("inline_tables.toml");
    assert_eq!(inline.server.threads, 2);
    assert_eq!(inline.flags.get(Flag::Contract), Some(true));
    assert_eq!(inline.flags.get(Flag::Runtime), None);
    assert_eq!(inline.listeners[0].leg, Leg::Bridge);

    let files = fixtures("valid");
    let files: BTreeSet<&str> =
        files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(files, seen, "every valid fixture has its assertion");
}

#[test]
fn valid_traces() {
    let full = valid("everything_changed.toml");
    assert_eq!(
        full.traces,
        Traces {
            endpoint: Some(Endpoint { host: "::1".to_owned(), port: 4317 }),
            protocol: Protocol::Grpc,
            sample: 1.0,
            queue: 16,
            interval: Duration::from_millis(250),
            timeout: Duration::from_secs(2),
            service_name: "gate näxt".to_owned(),
        }
    );
    let least = valid("least.toml");
    assert_eq!((least.traces.endpoint, least.traces.sample), (None, 0.01));
}

#[test]
fn valid_rollout() {
    let full = valid("everything_changed.toml").rollout;
    let plan = &full.plan;
    assert!(full.enabled);
    assert_eq!((plan.id.as_str(), full.job.as_str()), ("näxt/2", "gates"));
    assert_eq!(full.state_dir, Path::new("/srv/rollout"));
    assert_eq!(full.document, Path::new("/srv/flags.json"));
    assert_eq!(full.kill_file.as_deref(), Some(Path::new("/srv/kill")));
    assert_eq!(
        full.prometheus.map(|endpoint| endpoint.to_string()).as_deref(),
        Some("http://p:9090")
    );
    assert_eq!((plan.blind, plan.thresholds.tail_margin), (Blind::Rollback, 2.0));
    assert_eq!((plan.timing.tick, plan.timing.lease), (1_000, 0));
    let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["watch", "some"]);
    assert_eq!((plan.stages[0].min_dwell, plan.stages[1].max_dwell), (600_000, 720 * 3_600_000));
    assert_eq!((plan.stages[1].share.percent(), plan.stages[1].min_samples), (2.5, 7));
    assert_eq!(plan.stages[1].approval, Approval::Manual);
    assert!(plan.stages[1].flags.cloud_enforced);

    let least = valid("least.toml").rollout;
    assert_eq!(least.plan, Plan::default_plan("fast-mode/2026-12"));
    assert_eq!(least.document, Path::new("/var/lib/modegate/flags.json"));
    assert_eq!((least.enabled, least.kill_file, least.prometheus), (false, None, None));
}

#[test]
fn parity_needs_somebody_who_compares() {
    let path = "rollout.stage[2].gates (line 6)\n  found: \"parity\", without a listener";
    for (leg, rollout, refused) in [
        ("runtime", "enabled = false\n", false),
        ("runtime", "enabled = true\n", true),
        ("runtime", "enabled = true\nprometheus = \"http://p:9090\"\n", false),
        ("bridge", "enabled = true\n", false),
    ] {
        let text = format!("{LEAST}[rollout]\n{rollout}").replace("runtime", leg);
        match Config::parse(&text) {
            Ok(_) => assert!(!refused, "{text}"),
            Err(report) => assert!(refused && report.to_string().starts_with(path), "{report}"),
        }
    }
}

#[test]
fn invalid_files() {
    let files = fixtures("invalid");
    assert!(files.len() >= 12, "{} fixtures", files.len());
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = match Config::parse(&fs::read_to_string(&path).unwrap()) {
            Ok(_) => panic!("{name} was taken"),
            Err(report) => format!("{report}\n"),
        };
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        assert!(report == expected, "{name} gives\n{report}");
    }
}

#[test]
fn a_report_is_never_empty_and_never_secret() {
    let text = format!("{LEAST}[canary]\nallow = [\"\"]\ndeny = [\"{}\"]\n", "secret".repeat(60));
    let report = Config::parse(&text).unwrap_err();
    assert_eq!(report.faults().len(), 2);
    assert!(!report.to_string().contains("secret"), "{report}");
    for text in ["", "\u{feff}", "\0", "a", "[", "listener = []", "listener = 3", "[listener]"] {
        assert!(!Config::parse(text).unwrap_err().faults().is_empty(), "{text:?}");
    }
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        "a = {a = ".repeat(50_000),
    ] {
        assert!(Config::parse(&text).is_err());
    }
}

/// Lines of a file that are right, nearly right or wrong.
fn line() -> impl Strategy<Value = String> {
    let example: Vec<String> =
        EXAMPLE.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let value = prop_oneof![
        Just("true".to_owned()),
        Just("[]".to_owned()),
        Just("[[1]]".to_owned()),
        Just("{a = 1}".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("-0x0".to_owned()),
        "-?[0-9]{1,25}",
        "[0-9]{1,3}\\.[0-9]{1,8}",
        "\"[^\"\\\\\\x00-\\x1f]{0,12}\"",
        "\"[0-9]{0,21}(ms|s|m|h|B|KiB|MiB|GiB)\"",
        "\"(http|https|unix|header)[:/a-z0-9@?#]{0,12}\"",
    ];
    let keys: Vec<String> = example
        .iter()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key.to_owned())
        .collect();
    prop_oneof![
        proptest::sample::select(example),
        (proptest::sample::select(keys), value).prop_map(|(key, value)| format!("{key} = {value}")),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        if let Err(report) = Config::parse(&text) {
            prop_assert!(!report.faults().is_empty());
        }
    }

    #[test]
    fn any_lines_are_read_or_refused(lines in proptest::collection::vec(line(), 0..12)) {
        let text = lines.join("\n");
        match Config::parse(&text) {
            Ok(config) => prop_assert!(!config.listeners.is_empty()),
            Err(report) => {
                prop_assert!(!report.faults().is_empty());
                let last = text.lines().count().max(1);
                prop_assert!(report.faults().iter().all(|fault| fault.line.is_none_or(|line| line <= last)), "{report}");
            }
        }
    }

    #[test]
    fn one_wrong_value_is_found_at_its_own_line(at in 0..EXAMPLE.lines().count()) {
        let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
        let Some((key, _)) = lines[at].clone().split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned())) else {
            return Ok(());
        };
        prop_assume!(!key.starts_with('#'));
        lines[at] = format!("{key} = 1979-05-27");
        let report = Config::parse(&lines.join("\n")).unwrap_err();
        prop_assert_eq!(report.faults().len(), 1);
        prop_assert_eq!(report.faults()[0].line, Some(at + 1));
        let path = &report.faults()[0].path;
        prop_assert!(path.ends_with(&format!(".{key}")), "{path}");
    }
}

#[test]
fn the_fleet_that_is_shipped_agrees() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes");
    for way in ["base", "shared-volume"] {
        let [controller, sidecar] = ["controller.toml", "sidecar.toml"].map(|name| {
            let text = fs::read_to_string(deploy.join(way).join(name)).unwrap();
            // What an init container writes, where a pod has an IPv6 address.
            let text = text.replace("@POD_IP@", "fd00:10:244::7");
            Config::parse(&text).unwrap_or_else(|report| panic!("{way}/{name}: {report}"))
        });
        let says = |config: &Config| fingerprint(&canonical(&config.contract));
        assert_eq!(says(&controller), says(&sidecar), "{way}");
        assert_eq!(controller.canary.salt, sidecar.canary.salt, "{way}");
    }
}
