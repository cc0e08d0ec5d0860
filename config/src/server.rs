//! `[server]` and `[log]`: the process itself, its threads, its end and what it says.

use std::borrow::Cow;
use std::time::Duration;

use toml::de::DeValue;

use crate::read::Section;
use crate::report::{Invalid, Report};
use crate::rule::{Rule, boolean, integer};
use crate::value::{DAY, duration};

/// One thread per core.
const DEFAULT_THREADS: usize = 0;
/// What an orchestrator usually waits between SIGTERM and SIGKILL.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);
/// Starts, stops, reloads and refusals, nothing per request but the access line.
const DEFAULT_LEVEL: &str = "info";
/// One line per request is what an incident is read from.
const DEFAULT_ACCESS: bool = true;

/// The longest `log.level`, in bytes: dozens of directives.
const LONGEST_LEVEL: usize = 1024;

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// `[server]`: threads and shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Worker threads, 0 for one per core; 0.
    pub threads: usize,
    /// How long requests in flight may take to end after SIGTERM; 30 s.
    pub grace: Duration,
}

/// `[log]`: what is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, and directives `module=level` after commas; `info`.
    pub level: String,
    /// Whether each request has its line; true.
    pub access: bool,
}

/// Reads `[server]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> Server {
    root.section("server", |section| Server {
        threads: section.take("threads", DEFAULT_THREADS, integer(0..=1024)),
        grace: section.take("grace", DEFAULT_GRACE, duration(Duration::ZERO..=DAY)),
    })
}

/// Reads `[log]`.
pub(crate) fn read_log(root: &mut Section<'_, '_>) -> Log {
    root.section("log", |section| Log {
        level: section.take("level", DEFAULT_LEVEL.to_owned(), level()),
        access: section.take("access", DEFAULT_ACCESS, boolean()),
    })
}

/// A level as `log.level` takes it, for what sets it elsewhere, such as the admin API.
///
/// # Errors
/// One fault: what was found, and what is allowed.
pub fn read_level(text: &str) -> Result<String, Report> {
    let rule = level();
    rule.read(&DeValue::String(Cow::Borrowed(text))).map_err(|found| {
        let path = "level".to_owned();
        let allowed = rule.allowed;
        Report::single(Invalid { path, line: None, column: None, found, allowed, nearest: None })
    })
}

fn level() -> Rule<String> {
    let allowed = format!(
        "{}, and after it directives \",module=level\" as needed, at most {LONGEST_LEVEL} bytes",
        LEVELS.map(|level| format!("\"{level}\"")).join(", ")
    );
    Rule::text(allowed, |text| {
        let mut parts = text.split(',');
        let led = parts.next().is_some_and(|level| LEVELS.contains(&level));
        let short = text.len() <= LONGEST_LEVEL;
        (short && led && parts.all(is_directive)).then(|| text.to_owned())
    })
}

fn is_directive(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let name = |part: &str| !part.is_empty() && part.bytes().all(letter);
    text.split_once('=')
        .is_some_and(|(module, level)| module.split("::").all(name) && LEVELS.contains(&level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let longest = format!("info,{}=warn", "m".repeat(LONGEST_LEVEL - 10));
        let cases = [
            (longest.as_str(), true),
            (&format!("{longest},a=warn"), false),
            ("info\n", false),
            ("info", true),
            ("trace", true),
            ("warn,modegate=debug", true),
            ("info,pingora_core::server=warn,hyper=error", true),
            ("", false),
            ("INFO", false),
            ("verbose", false),
            ("modegate=debug", false),
            ("info,", false),
            ("info,modegate", false),
            ("info,=debug", false),
            ("info,modegate=", false),
            ("info, modegate=debug", false),
            ("info,a::=debug", false),
            ("info,a=debug=trace", false),
            ("info,a[span]=debug", false),
        ];
        for (text, valid) in cases {
            assert_eq!(read_level(text).is_ok(), valid, "{text}");
        }
    }
}
