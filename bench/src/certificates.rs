//! A throw-away certificate authority: root, intermediate, leaf, as the chains of AWS's endpoints are.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use sim::server::Layer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::failure::Failure;

/// The number of root certificates of Amazon Linux and Debian.
const NATIVE_ROOTS: usize = 145;

/// The names of Amazon's own roots, in their certificates.
const AMAZON: &[u8] = b"Amazon Root CA ";

/// The keys and signatures of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Chain {
    /// RSA with 2048 bits, as AWS's endpoints have.
    Rsa,
    /// ECDSA with the curve P-256.
    Ecdsa,
}

impl Chain {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::Rsa => &PKCS_RSA_SHA256,
            Self::Ecdsa => &PKCS_ECDSA_P256_SHA256,
        }
    }
}

/// The root certificates beside the authority's own, in the bundle that a contestant trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Roots {
    /// 145 of Mozilla's: as many as an operating system has.
    Native,
    /// Amazon's four.
    Amazon,
}

impl Roots {
    fn certificates(self) -> Vec<&'static [u8]> {
        let all = TLS_SERVER_ROOT_CERTS.iter().map(AsRef::as_ref);
        match self {
            // Mozilla's list has fewer by now: the first ones stand in it twice.
            Self::Native => all.cycle().take(NATIVE_ROOTS).collect(),
            Self::Amazon => all.filter(|der| contains(der, AMAZON)).collect(),
        }
    }
}

fn encoded(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The authority, and the server's side of TLS with a certificate of it for 127.0.0.1.
pub(crate) struct Authority {
    root: String,
    tls: Tls,
}

impl Authority {
    /// Makes an authority with keys of its own.
    pub(crate) fn new(chain: Chain) -> Result<Self, Failure> {
        let key = || KeyPair::generate_for(chain.algorithm());
        let root = CertifiedIssuer::self_signed(issuing("bench root"), key()?)?;
        let between = CertifiedIssuer::signed_by(issuing("bench intermediate"), key()?, &root)?;
        let leaf_key = key()?;
        let mut leaf = named(
            "bench endpoint",
            vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        )?;
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &between)?;

        let chain = vec![leaf.der().clone(), between.der().clone()];
        let private = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
        Ok(Self {
            root: root.pem(),
            tls: Tls::new(chain, private)?,
        })
    }

    /// The bundle of a contestant, in PEM: these roots, then the authority's own.
    pub(crate) fn bundle(&self, roots: Roots) -> String {
        let mut bundle: String = roots.certificates().into_iter().map(encoded).collect();
        bundle.push_str(&self.root);
        bundle
    }

    /// The layer of the servers.
    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }
}

fn named(name: &str, hosts: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn issuing(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

/// The server's side of TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connections: Arc<AtomicUsize>,
}

impl Tls {
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, Failure> {
        // ring has no post-quantum key exchange, as some endpoints of AWS have none: all contestants do
        // the same work.
        let provider = default_provider();
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            connections: Arc::default(),
        })
    }

    /// The connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Layer for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn accept(self, stream: TcpStream) -> io::Result<Self::Stream> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.acceptor.accept(stream).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_the_roots_and_the_authority() {
        let authority = Authority::new(Chain::Ecdsa).unwrap();

        for (roots, number) in [(Roots::Native, 146), (Roots::Amazon, 5)] {
            let bundle = authority.bundle(roots);

            assert_eq!(
                bundle.matches("BEGIN CERTIFICATE").count(),
                number,
                "{roots:?}"
            );
        }
    }
}
