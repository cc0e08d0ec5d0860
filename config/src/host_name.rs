//! What a Host header may name: a host, with a port or without, in the one spelling that names are
//! compared in.

use std::net::{IpAddr, Ipv6Addr};

use http::uri::Authority;

/// A host's name or address, and its port where one is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// In lower case; an IPv6 address in brackets, as RFC 5952 writes it.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl HostName {
    /// `host`, `host:port`, and an IPv6 address with brackets or, without a port, bare.
    pub fn parse(text: &str) -> Option<HostName> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(HostName::from(IpAddr::V6(address)));
        }
        let authority: Authority = text.parse().ok()?;
        let name = authority.host();
        let port = match text.strip_prefix(name)?.strip_prefix(':') {
            None if text == name => None,
            None => return None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
        };
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match address {
            Some(address) => HostName::from(IpAddr::V6(address.parse().ok()?)).host,
            None if name.is_empty() => return None,
            None => name.to_ascii_lowercase(),
        };
        Some(HostName { host, port })
    }

    /// Whether this, as it is configured, stands for what a caller says: without a port for any.
    pub fn admits(&self, said: &HostName) -> bool {
        self.host == said.host && (self.port.is_none() || self.port == said.port)
    }

    /// Whether it can only be this machine.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost"
            || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl From<IpAddr> for HostName {
    fn from(address: IpAddr) -> HostName {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        HostName { host, port: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_a_name() {
        let cases = [
            ("Gate.internal", Some(("gate.internal", None))),
            ("gate.internal:9901", Some(("gate.internal", Some(9901)))),
            ("10.1.4.7", Some(("10.1.4.7", None))),
            ("10.1.4.7:80", Some(("10.1.4.7", Some(80)))),
            ("fd00::1", Some(("[fd00::1]", None))),
            ("FD00:0:0::1", Some(("[fd00::1]", None))),
            ("[fd00::1]", Some(("[fd00::1]", None))),
            ("[FD00:0000::0001]:9901", Some(("[fd00::1]", Some(9901)))),
            ("::", Some(("[::]", None))),
            ("", None),
            (":9901", None),
            ("host:", None),
            ("host:http", None),
            ("host:+80", None),
            ("host:65536", None),
            ("user@host", None),
            ("http://host", None),
            ("[fd00::1", None),
            ("[fd00::1]x", None),
            ("[fd00::g]", None),
            ("[10.1.4.7]", None),
            ("fd00::1%eth0", None),
        ];
        for (text, name) in cases {
            let name = name.map(|(host, port)| HostName { host: host.to_owned(), port });
            assert_eq!(HostName::parse(text), name, "{text:?}");
        }
    }

    #[test]
    fn a_name_without_a_port_stands_for_any() {
        let cases = [
            ("10.1.4.7", "10.1.4.7", true),
            ("10.1.4.7", "10.1.4.7:9901", true),
            ("10.1.4.7:9901", "10.1.4.7:9901", true),
            ("10.1.4.7:9901", "10.1.4.7:9902", false),
            ("10.1.4.7:9901", "10.1.4.7", false),
            ("10.1.4.7", "10.1.4.70", false),
            ("[fd00::1]", "[fd00::1]:9901", true),
            ("fd00::1", "[fd00:0::1]:9901", true),
            ("[fd00::1]:9901", "[fd00::1]:9902", false),
            ("fd00::1", "[fd00::2]", false),
        ];
        for (ours, said, admitted) in cases {
            let [ours, said] = [ours, said].map(|text| HostName::parse(text).unwrap());
            assert_eq!(ours.admits(&said), admitted, "{ours:?} {said:?}");
        }
    }
}
