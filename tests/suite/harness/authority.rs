//! A certificate authority of the test's own, and what both sides of TLS need of it.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::stream::{Address, Io, Reset, tcp};

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as files hold them.
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

impl Pair {
    fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let cert = CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        (vec![cert], key)
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate, as a file holds it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of this authority for a name.
    pub fn pair(&self, name: &str) -> Pair {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { cert: certificate.pem(), key: key.serialize_pem() }
    }

    /// A server with a certificate of this authority for this name, without ALPN.
    pub fn server(&self, name: &str) -> TlsAcceptor {
        self.server_of(name, &[])
    }

    /// A server with a certificate of this authority for this name, that offers protocols.
    pub fn server_of(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let (chain, key) = self.pair(name).der();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate that fits its key");
        config.alpn_protocols = names(protocols);
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client that trusts this authority and offers protocols; `own` is what it shows for
    /// itself.
    pub fn client(&self, protocols: &[&str], own: Option<&Pair>) -> Tls {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match own.map(Pair::der) {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).expect("a pair"),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = names(protocols);
        Tls(TlsConnector::from(Arc::new(config)))
    }
}

fn names(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// What a client reaches a TLS listener with.
#[derive(Clone)]
pub struct Tls(TlsConnector);

/// A TLS connection that was agreed on.
pub struct Agreed {
    /// The protocol that both named.
    pub protocol: Option<Vec<u8>>,
    /// The certificate that the server showed.
    pub shown: Vec<u8>,
    /// The connection.
    pub stream: (Box<dyn Io>, Reset),
}

impl Tls {
    /// Connects to `localhost`, wherever that is.
    pub async fn connect(&self, address: &Address) -> io::Result<Agreed> {
        let stream = TcpStream::connect(address.tcp()).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let (stream, reset) = tcp(stream)?;
        let stream: TlsStream<Box<dyn Io>> = self.0.connect(name, stream).await?;
        let session = stream.get_ref().1;
        let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
        let shown = session.peer_certificates().expect("a certificate")[0].to_vec();
        Ok(Agreed { protocol, shown, stream: (Box::new(stream), reset) })
    }
}

/// A certificate as bytes, to compare with what was shown.
pub fn der(pair: &Pair) -> Vec<u8> {
    pair.der().0[0].to_vec()
}
