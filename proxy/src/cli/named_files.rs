//! Whether the files that a configuration names can be used, as `run` finds out before it serves.

use std::fmt::Display;

use super::Failure;
use super::load::Loaded;
use crate::admin::Token;
use crate::data_plane::{ClientTls, ServerTls};

/// Looks at the token, the certificates with their keys, and the roots.
///
/// # Errors
/// What is wrong with any of them.
pub(super) fn look(loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    let token = fault(Token::read(config.admin.token_file.as_deref()));
    let roots = fault(ClientTls::new(config.upstream.ca_file.as_deref()));
    let pairs = config.listeners.iter().flat_map(|listener| &listener.tls);
    let pairs = pairs.filter_map(|tls| fault(ServerTls::new(tls)));
    let faults: Vec<String> = token.into_iter().chain(roots).chain(pairs).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!("{}:\n{}", loaded.path.display(), faults.join("\n"))))
}

fn fault<T, E: Display>(read: Result<T, E>) -> Option<String> {
    read.err().map(|error| error.to_string())
}
