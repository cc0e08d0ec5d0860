//! What a listener proves itself with: read at the start, and again when the files change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use modegate_config::ListenerTls;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use super::client_tls::{certificates, roots_of};

/// HTTP/2 by its name in ALPN (RFC 9113, section 3.1).
pub const H2: &[u8] = b"h2";
/// HTTP/1.1 by its name in ALPN (RFC 7301, section 6).
pub const HTTP_1_1: &[u8] = b"http/1.1";

/// Files that a listener cannot use.
#[derive(Debug)]
pub struct BadTls(String);

impl std::fmt::Display for BadTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadTls {}

/// Why files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They may have changed.
    Change,
    /// An operator asked, and wants to be told.
    Signal,
}

/// A listener's certificate, key and trust, as last read.
pub struct ServerTls {
    files: ListenerTls,
    current: ArcSwap<ServerConfig>,
    looked: Mutex<u64>,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.files.fmt(f)
    }
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Where a file cannot be read, holds nothing of its kind, or the key is not the certificate's.
    pub fn new(files: &ListenerTls) -> Result<ServerTls, BadTls> {
        let looked = Mutex::new(fingerprint(files));
        let current = ArcSwap::from_pointee(read(files)?);
        Ok(ServerTls { files: files.clone(), current, looked })
    }

    /// What accepts the next connection. Connections that are open keep what they began with.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads the files again, if they changed or where an operator asks. Files that do not fit
    /// together change nothing: a pair is two writes, and the second one makes it whole.
    pub fn look(&self, why: Why) {
        let seen = fingerprint(&self.files);
        let looked = &mut *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(looked, seen) == seen && why == Why::Change {
            return;
        }
        let cert = self.files.cert.display().to_string();
        match read(&self.files) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(cert, "certificate reloaded");
            }
            Err(error) => tracing::error!(%error, "certificate not reloaded"),
        }
    }
}

fn read(files: &ListenerTls) -> Result<ServerConfig, BadTls> {
    let bad = |path: &Path, error: &dyn std::fmt::Display| {
        BadTls(format!("listener.tls {}: {error}", path.display()))
    };
    let chain = certificates(&files.cert).map_err(|error| bad(&files.cert, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| bad(&files.key, &error))?;
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&files.cert, &error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = roots_of(file).map_err(|error| bad(file, &error))?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| bad(file, &error))?)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| bad(&files.key, &error))?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    Ok(config)
}

/// What the files hold, as far as they can be read.
fn fingerprint(files: &ListenerTls) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()] {
        file.map(std::fs::read).and_then(Result::ok).hash(&mut hasher);
    }
    hasher.finish()
}
