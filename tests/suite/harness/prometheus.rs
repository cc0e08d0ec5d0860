//! A real Prometheus that scrapes the process under test; it is killed at the end.

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::client::{Client, Request};
use super::eventually_within;
use super::stream::Address;
use super::temp_dir::TempDir;

/// It opens its storage before it answers, and looks for what to scrape after five seconds.
const START: Duration = Duration::from_secs(60);

/// A running Prometheus, whose job is called `modegate`.
pub struct Prometheus {
    child: Child,
    address: Address,
    log: Arc<Mutex<Vec<String>>>,
    _dir: TempDir,
}

impl Prometheus {
    /// Starts it with a file of rules. Without the program the test fails: it never passes for want
    /// of a server.
    pub async fn start(target: &Address, rules: &Path) -> Prometheus {
        let rules = format!("rule_files: [\"{}\"]\n", rules.display());
        Prometheus::with(&[target], "500ms", &rules, &[]).await
    }

    /// Starts it without rules, to scrape these at this interval.
    pub async fn of(targets: &[&Address], interval: &str) -> Prometheus {
        Prometheus::with(targets, interval, "", &[]).await
    }

    /// The same, which keeps histograms in the native form only.
    pub async fn native(targets: &[&Address], interval: &str) -> Prometheus {
        Prometheus::with(targets, interval, "", &["--enable-feature=native-histograms"]).await
    }

    async fn with(
        targets: &[&Address],
        interval: &str,
        rules: &str,
        arguments: &[&str],
    ) -> Prometheus {
        let dir = TempDir::new();
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let config = format!(
            "global: {{ scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval} }}\n\
             {rules}\
             scrape_configs: [{{ job_name: modegate, static_configs: [{{ targets: {targets:?} }}] }}]\n",
        );
        let file = dir.write("prometheus.yml", config);
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg("--web.listen-address=127.0.0.1:0").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = found("prometheus", command.spawn());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (pipe, lines) = (child.stderr.take().expect("piped"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                lines.lock().expect("no panic").push(line);
            }
        });
        let none = Address::parse("127.0.0.1:0");
        let mut prometheus = Prometheus { child, address: none, log, _dir: dir };
        let address = eventually_within(START, "Prometheus's port", async || {
            let ended = prometheus.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended with {ended:?}");
            let lines = prometheus.log.lock().expect("no panic");
            let said = lines.iter().find(|line| line.contains("msg=\"Listening on\""))?;
            Some(Address::parse(said.rsplit("address=").next()?.trim()))
        })
        .await;
        prometheus.address = address;
        eventually_within(START, "Prometheus to be ready", async || {
            let answer = Client::once(&prometheus.address, Request::get("/-/ready")).await;
            (answer.status == 200).then_some(())
        })
        .await;
        prometheus
    }

    /// Where it answers.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What an expression gives now: each series' labels and value.
    pub async fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let query = Serializer::new(String::new()).append_pair("query", expression).finish();
        let data = self.ask(&format!("/api/v1/query?{query}"), expression).await;
        let result = data["result"].as_array().expect("a vector").clone();
        let value = |series: &Value| series["value"][1].as_str().and_then(|v| v.parse().ok());
        let pair = |series: Value| (series["metric"].clone(), value(&series).expect("a number"));
        result.into_iter().map(pair).collect()
    }

    /// Waits until an expression gives something.
    pub async fn until(&self, expression: &str) {
        eventually_within(START, expression, async || {
            (!self.query(expression).await.is_empty()).then_some(())
        })
        .await;
    }

    /// Every alert rule, as the API shows it.
    pub async fn rules(&self) -> Vec<Value> {
        let data = self.ask("/api/v1/rules", "the rules").await;
        let groups = data["groups"].as_array().expect("groups").iter();
        groups.flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
    }

    async fn ask(&self, target: &str, what: &str) -> Value {
        let answer = Client::once(&self.address, Request::get(target)).await;
        let json = answer.json();
        assert_eq!(json["status"], "success", "{what}: {json}");
        json["data"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- Prometheus's log\n{}", self.log.lock().expect("no panic").join("\n"));
        }
    }
}

/// What `promtool` says with these arguments, run in a directory.
pub fn promtool(dir: &Path, arguments: &[&str]) -> Output {
    found("promtool", Command::new("promtool").args(arguments).current_dir(dir).output())
}

fn found<T>(program: &str, started: std::io::Result<T>) -> T {
    match started {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("there is no `{program}`: install Prometheus (`make test` does)")
        }
        started => started.unwrap_or_else(|error| panic!("{program}: {error}")),
    }
}
