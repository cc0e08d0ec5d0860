//! Who may call: Host and Origin against pages in a browser, the bearer token against the rest.

use std::fmt;
use std::path::Path;

use http::StatusCode;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use modegate_config::{Bind, HostName};
use subtle::ConstantTimeEq;

use super::answer::{Answer, refuse};

/// Why a call is not let in.
#[derive(Debug)]
pub struct Denied(StatusCode, &'static str);

impl Denied {
    /// What the caller is told.
    pub fn answer(&self) -> Answer {
        refuse(self.0, self.1)
    }
}

/// The shortest token that is taken, in bytes.
const TOKEN_LEAST: usize = 16;

/// The bearer token; it is never shown.
pub struct Token(Vec<u8>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A token file that cannot be used.
#[derive(Debug)]
pub struct BadToken(String);

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadToken {}

impl Token {
    /// The token in a file, without the space around it; `None` without a file.
    ///
    /// # Errors
    /// Where the file cannot be read or its token is under 16 bytes.
    pub fn read(file: Option<&Path>) -> Result<Option<Token>, BadToken> {
        let Some(file) = file else { return Ok(None) };
        let bad = |error: String| BadToken(format!("admin.token_file {}: {error}", file.display()));
        let bytes = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
        let token = bytes.trim_ascii().to_vec();
        if token.len() < TOKEN_LEAST {
            return Err(bad(format!("the token must have at least {TOKEN_LEAST} bytes")));
        }
        Ok(Some(Token(token)))
    }

    fn is(&self, presented: &[u8]) -> bool {
        self.0.as_slice().ct_eq(presented).into()
    }
}

/// Decides who may call.
#[derive(Debug)]
pub struct Guard {
    token: Option<Token>,
    hosts: Vec<HostName>,
    any_host: bool,
}

impl Guard {
    /// The guard of an admin listener. On a unix socket any Host will do: no browser gets there.
    pub fn new(settings: &modegate_config::Admin, token: Option<Token>) -> Guard {
        let any_host = matches!(settings.bind, Bind::Unix(_));
        let mut hosts = settings.hosts.clone();
        if let Bind::Tcp(address) = &settings.bind {
            hosts.push(HostName::from(address.ip()));
        }
        Guard { token, hosts, any_host }
    }

    /// Refuses a call whose Host is not one of ours (a rebound name), and every call that a page
    /// of another origin makes.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let forbidden = |what| Err(Denied(StatusCode::FORBIDDEN, what));
        let mut hosts = headers.get_all(HOST).iter();
        let ours = hosts.next().is_some_and(|host| self.is_our_authority(host));
        if !self.any_host && (!ours || hosts.next().is_some()) {
            return forbidden("Host is not this listener's");
        }
        for origin in headers.get_all(ORIGIN) {
            let page = origin.to_str().ok().and_then(|origin| url::Url::parse(origin).ok());
            let name = page.and_then(|page| {
                let name = HostName::parse(page.host_str()?)?;
                Some(HostName { port: page.port(), ..name })
            });
            if !name.is_some_and(|name| self.is_ours(&name)) {
                return forbidden("Origin is not this listener's");
            }
        }
        Ok(())
    }

    /// Refuses a call without the token.
    pub fn authorize(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let Some(token) = &self.token else {
            let why = "no admin.token_file is configured, so nothing can be changed here";
            return Err(Denied(StatusCode::FORBIDDEN, why));
        };
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let presented = values.next().map(HeaderValue::as_bytes).and_then(|value| {
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
        });
        match presented {
            Some(presented) if values.next().is_none() && token.is(presented) => Ok(()),
            _ => Err(Denied(StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong")),
        }
    }

    fn is_our_authority(&self, value: &HeaderValue) -> bool {
        let name = value.to_str().ok().and_then(HostName::parse);
        name.is_some_and(|name| self.is_ours(&name))
    }

    fn is_ours(&self, name: &HostName) -> bool {
        name.is_loopback() || self.hosts.iter().any(|ours| ours.admits(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn guard(token: Option<&str>) -> Guard {
        let settings = modegate_config::Admin {
            bind: Bind::Tcp("127.0.0.1:9901".parse().unwrap()),
            token_file: None,
            allow_remote: false,
            hosts: ["gate.internal", "10.1.4.7", "[fd00::1]", "fd00::2", "[fd00::3]:9901"]
                .map(|name| HostName::parse(name).unwrap())
                .into(),
            override_limit: Duration::from_secs(1),
        };
        Guard::new(&settings, token.map(|token| Token(token.as_bytes().to_vec())))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn hosts_and_origins() {
        let cases: [(&[(&str, &str)], bool); 25] = [
            (&[("host", "127.0.0.1:9901")], true),
            (&[("host", "localhost")], true),
            (&[("host", "[::1]:9901")], true),
            (&[("host", "gate.internal:9901")], true),
            (&[("host", "GATE.internal")], true),
            (&[], false),
            (&[("host", "evil.example")], false),
            (&[("host", "user@127.0.0.1")], false),
            (&[("host", "127.0.0.1"), ("host", "127.0.0.1")], false),
            (&[("host", "10.0.0.1")], false),
            (&[("host", "10.1.4.7:9901")], true),
            (&[("host", "10.1.4.7")], true),
            (&[("host", "[fd00::1]:9901")], true),
            (&[("host", "[fd00:0:0::1]")], true),
            (&[("host", "[FD00::2]:9901")], true),
            (&[("host", "[fd00::3]:9901")], true),
            (&[("host", "[fd00::3]:9902")], false),
            (&[("host", "[fd00::4]:9901")], false),
            (&[("host", "localhost"), ("origin", "http://[fd00::1]:9901")], true),
            (&[("host", "localhost"), ("origin", "http://[fd00::3]:9902")], false),
            (&[("host", "localhost"), ("origin", "http://[fd00::4]")], false),
            (&[("host", "localhost"), ("origin", "http://localhost:9901")], true),
            (&[("host", "localhost"), ("origin", "http://evil.example")], false),
            (&[("host", "localhost"), ("origin", "null")], false),
            (&[("host", "localhost"), ("origin", "http://localhost.evil.example")], false),
        ];
        for (pairs, admitted) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
                map.append(name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(guard(None).admit(&map).is_ok(), admitted, "{pairs:?}");
        }
    }

    #[test]
    fn tokens() {
        let guard_with = guard(Some("0123456789abcdef"));
        let cases = [
            ("Bearer 0123456789abcdef", StatusCode::OK),
            ("bearer 0123456789abcdef", StatusCode::OK),
            ("Bearer 0123456789abcde", StatusCode::UNAUTHORIZED),
            ("Bearer 0123456789abcdef0", StatusCode::UNAUTHORIZED),
            ("Bearer ", StatusCode::UNAUTHORIZED),
            ("0123456789abcdef", StatusCode::UNAUTHORIZED),
            ("Basic 0123456789abcdef", StatusCode::UNAUTHORIZED),
        ];
        for (value, status) in cases {
            let got = guard_with.authorize(&headers(&[("authorization", value)]));
            assert_eq!(got.map_or_else(|denied| denied.0, |()| StatusCode::OK), status, "{value}");
        }
        let none = guard(None).authorize(&headers(&[("authorization", "Bearer ")]));
        assert_eq!(none.unwrap_err().0, StatusCode::FORBIDDEN);
    }
}
