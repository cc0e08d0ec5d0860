//! What requests are forwarded to: an upstream's address, and `[upstream]`, what holds for all
//! of them. It does not resolve or connect.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;
use url::{Host, Url};

use crate::bind::unix_path;
use crate::read::Section;
use crate::rule::{Rule, file, shown};
use crate::value::{DAY, MILLISECOND, duration, duration_or_off};

/// An upstream that is gone gets no request for longer than this.
const DEFAULT_HEALTH_INTERVAL: Option<Duration> = Some(Duration::from_secs(5));
/// What a cluster's own DNS usually keeps an answer for.
const DEFAULT_RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

const ALLOWED: &str =
    "\"http://host:port\", \"https://host\", \"https://host:port\" or \"unix:/path\"";

/// `[upstream]`: what holds for every upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// A PEM file of the roots that `https` upstreams are checked against, `None` for the
    /// system's; none.
    pub ca_file: Option<PathBuf>,
    /// Between two health checks of an upstream, `None` for no checks; 5 s.
    pub health_interval: Option<Duration>,
    /// Between two resolutions of an upstream's name; 30 s.
    pub resolve_interval: Duration,
}

/// Where requests are forwarded to. It prints as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// HTTP over TCP.
    Http {
        /// A name or an IP address, an IPv6 address without brackets.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// HTTP over TLS.
    Https {
        /// A name or an IP address, an IPv6 address without brackets.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// HTTP over a unix socket at an absolute path.
    Unix(PathBuf),
}

impl Upstream {
    /// The value of the Host header: the host, its port unless it is the scheme's own;
    /// `localhost` for a unix socket.
    pub fn authority(&self) -> String {
        let (host, port, own) = match self {
            Upstream::Http { host, port } => (host, *port, 80),
            Upstream::Https { host, port } => (host, *port, 443),
            Upstream::Unix(_) => return "localhost".to_owned(),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if port == own { host } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upstream::Http { .. } => write!(f, "http://{}", self.authority()),
            Upstream::Https { .. } => write!(f, "https://{}", self.authority()),
            Upstream::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads `[upstream]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> UpstreamSettings {
    root.section("upstream", |section| UpstreamSettings {
        ca_file: section.take("ca_file", None, file()),
        health_interval: section.take(
            "health_interval",
            DEFAULT_HEALTH_INTERVAL,
            duration_or_off(MILLISECOND..=DAY),
        ),
        resolve_interval: section.take(
            "resolve_interval",
            DEFAULT_RESOLVE_INTERVAL,
            duration(MILLISECOND..=DAY),
        ),
    })
}

/// An upstream's address.
pub(crate) fn upstream() -> Rule<Upstream> {
    Rule::new(ALLOWED, |value| {
        let DeValue::String(text) = value else {
            return Err(shown(value));
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return unix_path(path).map(Upstream::Unix).ok_or_else(|| shown(value));
        }
        let Ok(url) = Url::parse(text) else {
            return Err(discreet(text).unwrap_or_else(|| shown(value)));
        };
        from_url(text, &url)
            .map_err(|extra| discreet(text).unwrap_or_else(|| format!("{}{extra}", shown(value))))
    })
}

/// What a report says of a URL that may hold a password.
fn discreet(text: &str) -> Option<String> {
    text.contains('@').then(|| "a URL with user info".to_owned())
}

/// The error is what a report adds to the URL.
fn from_url(text: &str, url: &Url) -> Result<Upstream, &'static str> {
    // The parser forgives these; what it would read is not what the operator sees.
    let forgiven = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    if text.contains(forgiven) || !text.contains("://") || text.contains('@') {
        return Err("");
    }
    if !matches!(url.path(), "" | "/") {
        return Err(", with a path");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(", with a query or fragment");
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(""),
    };
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(", with port 0")?;
    match url.scheme() {
        "http" => Ok(Upstream::Http { host, port }),
        "https" => Ok(Upstream::Https { host, port }),
        _ => Err(", another scheme"),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn read(text: &str) -> Result<Upstream, String> {
        upstream().read(&DeValue::String(Cow::Borrowed(text)))
    }

    #[test]
    fn taken() {
        let http = |host: &str, port| Upstream::Http { host: host.to_owned(), port };
        let https = |host: &str, port| Upstream::Https { host: host.to_owned(), port };
        let unix = |path| Upstream::Unix(PathBuf::from(path));
        let cases = [
            ("http://127.0.0.1:2138", http("127.0.0.1", 2138), "127.0.0.1:2138"),
            ("http://api:80", http("api", 80), "api"),
            ("http://api:443", http("api", 443), "api:443"),
            ("http://api:2138/", http("api", 2138), "api:2138"),
            ("http://[::1]:2138", http("::1", 2138), "[::1]:2138"),
            ("https://Cloud.example", https("cloud.example", 443), "cloud.example"),
            ("https://cloud.example:80", https("cloud.example", 80), "cloud.example:80"),
            ("https://[2001:db8::1]", https("2001:db8::1", 443), "[2001:db8::1]"),
            ("unix:/run/api.sock", unix("/run/api.sock"), "localhost"),
        ];
        for (text, expected, authority) in cases {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(expected.authority(), authority, "{text}");
            assert_eq!(read(&expected.to_string()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refused() {
        let cases = [
            ("", r#""""#),
            ("127.0.0.1:2138", r#""127.0.0.1:2138""#),
            ("api:2138", r#""api:2138""#),
            ("http:api:2138", r#""http:api:2138""#),
            ("http://", r#""http://""#),
            ("http://api:0", r#""http://api:0", with port 0"#),
            ("http://api:65536", r#""http://api:65536""#),
            ("http://a pi:1", r#""http://a pi:1""#),
            ("http://api\n:1", r#""http://api\n:1""#),
            ("http:\\\\api:1", r#""http:\\\\api:1""#),
            (" http://api:1", r#"" http://api:1""#),
            ("http://api:1/v1", r#""http://api:1/v1", with a path"#),
            ("http://api:1?", r#""http://api:1?", with a query or fragment"#),
            ("http://api:1/#f", r##""http://api:1/#f", with a query or fragment"##),
            ("http://user:secret@api:1", "a URL with user info"),
            ("http://user:secret@api:99999", "a URL with user info"),
            ("http://@api:1", "a URL with user info"),
            ("ftp://api", r#""ftp://api", another scheme"#),
            ("ws://api:1", r#""ws://api:1", another scheme"#),
            ("unix:api.sock", r#""unix:api.sock""#),
            ("unix:", r#""unix:""#),
        ];
        for (text, found) in cases {
            assert_eq!(read(text), Err(found.to_owned()), "{text}");
        }
    }
}
