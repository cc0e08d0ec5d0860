//! `tls` of a listener: the files that it proves itself with. It does not read them.

use std::path::PathBuf;

use crate::read::Section;
use crate::rule::Rule;

/// `tls = { cert, key, client_ca }`: PEM files, read at the start and again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// The certificate and the chain behind it.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Roots that a client's certificate must come from, `None` where clients show none; none.
    pub client_ca: Option<PathBuf>,
}

/// Reads a listener's `tls`; the outer `None` is a fault.
pub(crate) fn read(listener: &mut Section<'_, '_>) -> Option<Option<ListenerTls>> {
    let read = listener.optional_section("tls", |section| {
        let cert = section.require("cert", some_file());
        let key = section.require("key", some_file());
        // Nobody's authority, as an empty string would be, is a mistake: it would let everyone in.
        let client_ca = section.optional("client_ca", some_file());
        Some(ListenerTls { cert: cert?, key: key?, client_ca })
    });
    match read {
        None => Some(None),
        Some(tls) => tls.map(Some),
    }
}

fn some_file() -> Rule<PathBuf> {
    Rule::text("a file's path", |text| {
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    })
}
