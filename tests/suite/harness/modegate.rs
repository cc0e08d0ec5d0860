//! The process under test: started on a configuration, watched through its log, killed at the end.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Request, Response};
use super::stream::Address;
use super::temp_dir::TempDir;
use super::{DEADLINE, eventually, eventually_within};

/// The admin token of every process under test.
pub const TOKEN: &str = "a token for the suite";

/// A process to be started.
#[derive(Debug)]
pub struct Start {
    config: String,
    dir: Arc<TempDir>,
    environment: Vec<(String, String)>,
    open_files: Option<(usize, usize)>,
    arguments: Vec<String>,
    command: &'static [&'static str],
}

impl Start {
    /// A process with this configuration. `{dir}` in it stands for the test's directory, and
    /// without an `[admin]` section the admin API listens on any port.
    pub fn new(config: &str) -> Start {
        Start::within(config, Arc::new(TempDir::new()))
    }

    /// A process with this configuration and a directory that others use as well.
    pub fn within(config: &str, dir: Arc<TempDir>) -> Start {
        let (environment, arguments) = (Vec::new(), Vec::new());
        let (config, open_files) = (config.to_owned(), None);
        Start { config, dir, environment, open_files, arguments, command: &["run"] }
    }

    /// Runs the rollout of a fleet, and nothing else.
    pub fn controller(mut self) -> Start {
        self.command = &["rollout", "run"];
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Start {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it with these soft and hard limits of open files.
    pub fn open_files(mut self, soft: usize, hard: usize) -> Start {
        self.open_files = Some((soft, hard));
        self
    }

    /// Adds an argument after `run -c FILE`; `{dir}` stands for the test's directory.
    pub fn arg(mut self, argument: &str) -> Start {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The directory.
    pub fn dir(&self) -> &Arc<TempDir> {
        &self.dir
    }

    fn spawn(&self) -> (Child, PathBuf) {
        let dir = self.dir.path().display().to_string();
        self.dir.write("token", TOKEN);
        let mut config = self.config.clone();
        if !config.contains("[admin]") {
            config.push_str("\n[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{dir}/token\"\n");
        }
        let file = self.dir.write("modegate.toml", config.replace("{dir}", &dir));
        let binary = env!("CARGO_BIN_EXE_modegate");
        let mut command = match self.open_files {
            None => Command::new(binary),
            Some((soft, hard)) => {
                // It becomes the program that it starts.
                let mut limited = Command::new("prlimit");
                limited.arg(format!("--nofile={soft}:{hard}")).arg(binary);
                limited
            }
        };
        command.args(self.command).arg("-c").arg(&file);
        let told = |argument: &String| argument.starts_with("--upgrade-socket");
        if self.command == ["run"] && !self.arguments.iter().any(told) {
            command.arg("--upgrade-socket").arg(self.dir.path().join("upgrade.sock"));
        }
        command.args(self.arguments.iter().map(|argument| argument.replace("{dir}", &dir)));
        for flag in ["CONTRACT_ENABLED", "RUNTIME_ENABLED", "UI_ENABLED", "CLOUD_ENFORCED", "KILL"]
        {
            command.env_remove(format!("FAST_MODE_{flag}"));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (command.spawn().expect("the binary starts"), file)
    }

    /// Starts it and waits until it listens everywhere.
    pub async fn run(self) -> Modegate {
        let mut process = self.begin();
        process.await_listeners().await;
        process
    }

    /// Starts it, and has this one give it its sockets.
    pub async fn take_over(self, first: &Modegate) -> Modegate {
        let socket = first.dir().path().join("upgrade.sock").display().to_string();
        let start = self.arg("--upgrade").arg(&format!("--upgrade-socket={socket}"));
        let mut process = start.begin();
        process.logged("waiting for the listening sockets").await;
        let listening =
            |line: &String| line.contains("\"listening\"") || line.contains("admin listening");
        assert!(!process.logs().iter().any(listening), "it has nothing to listen on");
        first.signal("QUIT");
        process.await_listeners().await;
        process
    }

    fn begin(self) -> Modegate {
        let (mut child, file) = self.spawn();
        let lines = Lines::default();
        lines.follow(child.stdout.take().expect("piped"));
        let errors = Lines::default();
        errors.follow(child.stderr.take().expect("piped"));
        Modegate {
            child,
            lines,
            errors,
            file,
            dir: self.dir,
            listeners: Vec::new(),
            admin: Address::Unix(PathBuf::new()),
        }
    }

    /// Starts it, expecting it to end by itself.
    pub async fn fails(self) -> Exited {
        self.fails_within(DEADLINE).await
    }

    /// The same, by a deadline of its own.
    pub async fn fails_within(self, deadline: Duration) -> Exited {
        let (mut child, _) = self.spawn();
        let (out, err) = (Lines::default(), Lines::default());
        out.follow(child.stdout.take().expect("piped"));
        err.follow(child.stderr.take().expect("piped"));
        let code = eventually_within(deadline, "the process's end", async || {
            child.try_wait().expect("a child")
        })
        .await;
        eventually("the end of its output", async || (out.ended() && err.ended()).then_some(()))
            .await;
        Exited { code: code.code(), stdout: out.text(), stderr: err.text() }
    }
}

/// A process that ended.
#[derive(Clone, Debug)]
pub struct Exited {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A running process.
pub struct Modegate {
    child: Child,
    lines: Lines,
    errors: Lines,
    file: PathBuf,
    dir: Arc<TempDir>,
    listeners: Vec<(String, Address)>,
    admin: Address,
}

impl Modegate {
    /// Starts a process with this configuration; see [`Start::new`].
    pub async fn start(config: &str) -> Modegate {
        Start::new(config).run().await
    }

    async fn await_listeners(&mut self) {
        let (lines, errors) = (self.lines.clone(), self.errors.clone());
        let child = &mut self.child;
        let (listeners, admin) = eventually("the listeners", async || {
            let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let logged = lines.parsed();
            let said = |message: &str| {
                let of = |line: &&Value| line["message"] == message;
                logged.iter().filter(of).cloned().collect::<Vec<_>>()
            };
            if let Some(code) = child.try_wait().expect("a child") {
                panic!("it ended with {code}: {}{}", lines.text(), errors.text());
            }
            // The admin listener is announced last.
            let admin = Address::parse(&text(said("admin listening").first()?, "address"));
            let listener =
                |line: &Value| (text(line, "leg"), Address::parse(&text(line, "address")));
            Some((said("listening").iter().map(listener).collect(), admin))
        })
        .await;
        (self.listeners, self.admin) = (listeners, admin);
    }

    /// The address of the first listener of the frontend leg.
    pub fn frontend(&self) -> &Address {
        self.leg("frontend", 0)
    }

    /// The address of the first listener of the bridge leg.
    pub fn bridge(&self) -> &Address {
        self.leg("bridge", 0)
    }

    /// The address of the first listener of the runtime leg.
    pub fn runtime(&self) -> &Address {
        self.leg("runtime", 0)
    }

    /// The address of a listener of a leg, in the order of the configuration.
    pub fn leg(&self, leg: &str, at: usize) -> &Address {
        let of = |(name, _): &&(String, Address)| name == leg;
        &self.listeners.iter().filter(of).nth(at).expect("a listener of the leg").1
    }

    /// The admin listener's address.
    pub fn admin(&self) -> &Address {
        &self.admin
    }

    /// The test's directory.
    pub fn dir(&self) -> &Arc<TempDir> {
        &self.dir
    }

    /// The configuration's file.
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request to the frontend leg, on a connection of its own.
    pub async fn post(&self, target: &str, body: impl Into<Vec<u8>>) -> Response {
        Client::once(self.frontend(), Request::post(target, body)).await
    }

    /// Every line of its log so far.
    pub fn logs(&self) -> Vec<String> {
        self.lines.all()
    }

    /// Waits until every line of an ended process was read.
    pub async fn log_ended(&self) {
        eventually("the end of the log", async || self.lines.ended().then_some(())).await;
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.errors.text()
    }

    /// Every access line so far.
    pub fn access_lines(&self) -> Vec<Value> {
        self.lines.parsed().into_iter().filter(|line| line["target"] == "access").collect()
    }

    /// Waits for this many access lines; more are a fault.
    pub async fn access(&self, lines: usize) -> Vec<Value> {
        let found = eventually("access lines", async || {
            Some(self.access_lines()).filter(|found| found.len() >= lines)
        })
        .await;
        assert_eq!(found.len(), lines, "{found:#?}");
        found
    }

    /// Waits for a log line with this message.
    pub async fn logged(&self, message: &str) -> Value {
        eventually(&format!("a log line {message:?}"), async || {
            self.lines.parsed().into_iter().find(|line| line["message"] == message)
        })
        .await
    }

    /// Sends a signal: `TERM`, `INT`, `HUP`, `QUIT`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").arg(format!("-{name}")).arg(pid).status();
        assert!(sent.expect("kill runs").success(), "SIG{name} not sent");
    }

    /// Sets the limit of open files that counts now.
    pub fn limit_open_files(&self, soft: usize) {
        let mut command = Command::new("prlimit");
        command.arg("--pid").arg(self.pid().to_string()).arg(format!("--nofile={soft}:"));
        assert!(command.status().expect("prlimit runs").success(), "no limit of {soft}");
    }

    /// How many files it has open.
    pub fn open_files(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid()));
        open.expect("the process's files").count()
    }

    /// Waits for its end; gives the exit code.
    pub async fn exited(&mut self, deadline: Duration) -> Option<i32> {
        let child = &mut self.child;
        let code = eventually_within(deadline, "the process's end", async || {
            child.try_wait().expect("a child")
        })
        .await;
        code.code()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Sends SIGTERM and waits for the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.exited(DEADLINE).await
    }

    /// Memory in use, in KiB.
    pub fn memory(&self) -> usize {
        self.kib("VmRSS:")
    }

    /// The most memory that was ever in use, in KiB.
    pub fn peak_memory(&self) -> usize {
        self.kib("VmHWM:")
    }

    fn kib(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process's status");
        let line = status.lines().find(|line| line.starts_with(name)).expect(name);
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

impl Drop for Modegate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let tail = self.lines.all();
            let tail = &tail[tail.len().saturating_sub(30)..];
            eprintln!("--- the process's log\n{}\n{}", tail.join("\n"), self.errors.text());
        }
    }
}

/// Lines that a thread reads from a pipe.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<(Vec<String>, Ended)>>);

#[derive(Default, PartialEq, Eq)]
enum Ended {
    #[default]
    No,
    Yes,
}

impl Lines {
    fn follow(&self, pipe: impl Read + Send + 'static) {
        let lines = self.0.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.lock().expect("no panic").0.push(line);
            }
            lines.lock().expect("no panic").1 = Ended::Yes;
        });
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").0.clone()
    }

    fn text(&self) -> String {
        self.all().join("\n")
    }

    fn ended(&self) -> bool {
        self.0.lock().expect("no panic").1 == Ended::Yes
    }

    fn parsed(&self) -> Vec<Value> {
        let all = self.all();
        all.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
