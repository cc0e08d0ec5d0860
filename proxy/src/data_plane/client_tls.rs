//! How https upstreams are reached: whom they are trusted by, and what is spoken with them.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::server_tls::{H2, HTTP_1_1};

/// What https upstreams are reached with.
#[derive(Clone)]
pub struct ClientTls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub any: TlsConnector,
    /// Offers HTTP/1.1 only: what is upgraded there cannot be upgraded in HTTP/2.
    pub http1: TlsConnector,
}

/// Why no https upstream can be trusted.
#[derive(Debug)]
pub struct BadRoots(String);

impl std::fmt::Display for BadRoots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRoots {}

impl ClientTls {
    /// Trusts the certificates of a PEM file, or the system's.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no certificate.
    pub fn new(file: Option<&Path>) -> Result<ClientTls, BadRoots> {
        let roots = match file {
            Some(file) => roots_of(file).map_err(|error| {
                BadRoots(format!("upstream.ca_file {}: {error}", file.display()))
            })?,
            None => {
                // A machine without roots reaches no https upstream, and says so when it tries.
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(
                    rustls_native_certs::load_native_certs().unwrap_or_default(),
                );
                roots
            }
        };
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BadRoots(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        Ok(ClientTls { any: connector(&[H2, HTTP_1_1]), http1: connector(&[HTTP_1_1]) })
    }
}

/// The certificates of a PEM file as roots; the error is what is wrong with the file.
pub fn roots_of(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one; the error is what is wrong with the file.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    match found.is_empty() {
        true => Err("no certificate in it".to_owned()),
        false => Ok(found),
    }
}
