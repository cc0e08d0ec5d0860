//! What the figures were taken on and of.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// A machine, the programs on it, and the commit.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of its cores there are.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The commit that was built, with `+` where files differ from it.
    pub commit: String,
    /// Versions of the other proxies, as they say them.
    pub versions: Vec<String>,
    /// When the run ended, as `date` says it in UTC.
    pub date: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = processor.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        let changed = !says("git", &["status", "--porcelain", "-uno"]).is_empty();
        let commit = says("git", &["rev-parse", "--short=12", "HEAD"]);
        Machine {
            processor: processor.unwrap_or_else(|| "unknown".to_owned()),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: says("uname", &["-r"]),
            commit: if changed { format!("{commit}+") } else { commit },
            versions: vec![
                says("/usr/sbin/nginx", &["-v"]),
                says("/usr/sbin/haproxy", &["-v"]),
                format!("Node {}", says("node", &["--version"])),
                says("rustc", &["--version"]),
            ],
            date: says("date", &["-u", "+%Y-%m-%d %H:%M"]),
        }
    }
}

/// The first line that a program says.
fn says(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| {
        let words = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        String::from_utf8_lossy(&words).lines().next().unwrap_or_default().trim().to_owned()
    });
    text.unwrap_or_default()
}
