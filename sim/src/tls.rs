//! TLS by an authority of its own, whose certificate a client must be given.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

use crate::server::Layer;

/// The server's side of TLS, with a certificate for 127.0.0.1 by a new authority.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    root: Arc<str>,
}

/// No key or certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A key or a certificate.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The server's side.
    #[error("cannot serve TLS: {0}")]
    Server(#[from] tokio_rustls::rustls::Error),
}

impl Tls {
    /// Makes an authority, and a certificate by it.
    ///
    /// # Errors
    /// If the system has no entropy.
    pub fn of_a_new_authority() -> Result<Self, TlsError> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(["127.0.0.1".to_owned()])?;
        let certificate = server.signed_by(&key, &authority)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            root: authority.pem().into(),
        })
    }

    /// The certificate of the authority, in PEM.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }
}

impl Layer for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn accept(self, stream: TcpStream) -> io::Result<Self::Stream> {
        self.acceptor.accept(stream).await
    }
}
