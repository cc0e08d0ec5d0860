//! `[admin]`: where the sidecar is asked and told things, and by whom. It does not read the token.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::bind::{Bind, bind};
use crate::host_name::HostName;
use crate::read::Section;
use crate::rule::{Rule, boolean, file};
use crate::value::{DAY, MILLISECOND, duration};

/// Loopback: whoever reaches it is on this machine or in this pod.
const DEFAULT_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);
/// An override is for an incident; half a shift later the file should say it.
const DEFAULT_OVERRIDE_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);
/// A week: what lasts longer belongs into the file.
const LONGEST_OVERRIDE: Duration = DAY.saturating_mul(7);

/// `[admin]`: the admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens; `127.0.0.1:9901`.
    pub bind: Bind,
    /// The file that holds the bearer token; none, and then nothing can be changed over it.
    pub token_file: Option<PathBuf>,
    /// Whether `bind` may be reachable from other machines; false.
    pub allow_remote: bool,
    /// What the Host header may name beside loopback; none.
    pub hosts: Vec<HostName>,
    /// The longest that an override may last; 4 h.
    pub override_limit: Duration,
}

/// Reads `[admin]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> Admin {
    root.section("admin", |section| {
        let admin = Admin {
            bind: section.take("bind", Bind::Tcp(DEFAULT_BIND), bind()),
            token_file: section.take("token_file", None, file()),
            allow_remote: section.take("allow_remote", false, boolean()),
            hosts: section.list("hosts", host()).unwrap_or_default(),
            override_limit: section.take(
                "override_limit",
                DEFAULT_OVERRIDE_LIMIT,
                duration(MILLISECOND..=LONGEST_OVERRIDE),
            ),
        };
        check(section, &admin);
        admin
    })
}

/// Being reachable from other machines must be meant.
fn check(section: &Section<'_, '_>, admin: &Admin) {
    if section.sound("allow_remote") && !admin.bind.is_local() && !admin.allow_remote {
        section.refuse(
            "bind",
            &format!("\"{}\"", admin.bind),
            "a loopback address or a unix socket, unless admin.allow_remote = true".to_owned(),
        );
    }
}

fn host() -> Rule<HostName> {
    let allowed = "a value of the Host header, \"host\" or \"host:port\"; an IPv6 address with or \
                   without brackets";
    Rule::text(allowed, HostName::parse)
}
