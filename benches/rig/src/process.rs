//! The processes that are measured: where they run, what CPU time and memory they have had.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::load::failed;

/// How long a process may take to listen.
const START: Duration = Duration::from_secs(20);

/// A running program; ended when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What it has now.
    pub now: u64,
    /// The most that it had since the peak was last forgotten.
    pub peak: u64,
}

impl Process {
    /// Starts a program on these cores (as `taskset -c` has them), its words written to a file, and
    /// waits until it listens.
    ///
    /// # Errors
    /// Where it cannot be started, ends, or does not listen in time; with the end of its words.
    pub fn start(
        cores: &str,
        argv: &[OsString],
        address: SocketAddr,
        words: &Path,
    ) -> io::Result<Process> {
        let file = fs::File::create(words)?;
        let child = Command::new("taskset")
            .args(["-c", cores])
            .args(argv)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let mut process = Process { child, address };
        let begun = Instant::now();
        loop {
            if TcpStream::connect(address).is_ok() {
                return Ok(process);
            }
            let ended = process.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > START {
                let said = fs::read_to_string(words).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(5).collect();
                return Err(failed(format_args!("{argv:?} does not listen: {last:?}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The CPU time that it and its children have had, user and system, as the scheduler counts it.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn cpu(&self) -> io::Result<Duration> {
        family(self.child.id()).iter().map(|pid| cpu(*pid)).sum()
    }

    /// The memory of it and its children.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn memory(&self) -> io::Result<Memory> {
        let mut whole = Memory::default();
        for pid in family(self.child.id()) {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            whole.now += field(&status, "VmRSS:");
            whole.peak += field(&status, "VmHWM:");
        }
        Ok(whole)
    }

    /// Forgets the peak of memory.
    ///
    /// # Errors
    /// Where the system does not let it.
    pub fn forget_peak(&self) -> io::Result<()> {
        family(self.child.id())
            .iter()
            .try_for_each(|pid| fs::write(format!("/proc/{pid}/clear_refs"), "5"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(parent) = all.get(next) {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let children = children.unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        next += 1;
    }
    all
}

/// The first number of `schedstat` is the nanoseconds that a thread has had.
fn cpu(pid: u32) -> io::Result<Duration> {
    let mut whole = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while it is looked at.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let had = text.split_whitespace().next().and_then(|first| first.parse().ok());
        whole += Duration::from_nanos(had.ok_or_else(|| failed("schedstat is not counted"))?);
    }
    Ok(whole)
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// A port that nothing listens on now.
///
/// # Errors
/// Where there is none.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

#[cfg(test)]
mod tests {
    use nix::sched::{CpuSet, sched_getaffinity};

    use super::*;

    #[test]
    fn a_process_is_measured_and_ended() {
        let address = free_address().unwrap();
        let script = format!(
            "const end = Date.now() + 60; while (Date.now() < end); \
             require('net').createServer(() => 0).listen({}, '127.0.0.1')",
            address.port()
        );
        let words = tempfile::NamedTempFile::new().unwrap();
        let argv = ["node", "-e", &script].map(OsString::from);
        let cores = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let core = (0..CpuSet::count()).find(|core| cores.is_set(*core).unwrap()).unwrap();
        let process = Process::start(&core.to_string(), &argv, address, words.path()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while process.cpu().unwrap() < Duration::from_millis(50) {
            assert!(Instant::now() < deadline);
        }
        let memory = process.memory().unwrap();
        assert!(memory.now > 1000 && memory.peak >= memory.now, "{memory:?}");
        let pid = process.child.id();
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
