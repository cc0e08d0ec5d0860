//! Configurations for tests, put together from pieces of TOML.

use super::origin::Origin;

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
