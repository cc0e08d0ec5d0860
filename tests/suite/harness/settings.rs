//! Configurations for tests, put together from pieces of TOML.

use std::sync::Arc;

use super::authority::Authority;
use super::modegate::{Modegate, Start};
use super::origin::Origin;
use super::temp_dir::TempDir;

/// A listener of a leg on any port, in front of an upstream.
pub fn listener(leg: &str, upstream: &str) -> String {
    format!("[[listener]]\nleg = \"{leg}\"\nbind = \"127.0.0.1:0\"\nupstream = \"{upstream}\"\n")
}

/// All three legs in front of one origin, after some settings.
pub fn settings(origin: &Origin, extra: &str) -> String {
    settings_for(&origin.url(), extra)
}

/// All three legs in front of one upstream, after some settings.
pub fn settings_for(upstream: &str, extra: &str) -> String {
    let legs = ["frontend", "bridge", "runtime"].map(|leg| listener(leg, upstream));
    format!("{extra}\n{}", legs.concat())
}

/// A process with a frontend leg that takes HTTP/2 in clear, in front of an upstream.
pub async fn clear(upstream: &str, extra: &str) -> Modegate {
    let leg = listener("frontend", upstream);
    Modegate::start(&format!("{extra}\n{leg}h2c = true\n")).await
}

/// A process with a frontend leg that takes TLS, in front of an upstream; the authority is whom
/// its certificate is from, and whom it trusts.
pub async fn secure(authority: &Authority, upstream: &str, extra: &str) -> Modegate {
    let dir = Arc::new(TempDir::new());
    let pair = authority.pair("localhost");
    dir.write("ca.pem", authority.pem());
    dir.write("cert.pem", pair.cert);
    dir.write("key.pem", pair.key);
    let leg = listener("frontend", upstream);
    let tls = "tls = { cert = \"{dir}/cert.pem\", key = \"{dir}/key.pem\" }\n";
    let config = format!("{extra}\n[upstream]\nca_file = \"{{dir}}/ca.pem\"\n{leg}{tls}");
    Start::within(&config, dir).run().await
}
