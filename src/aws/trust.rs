//! The certificates in which a server's chain may end.
//!
//! The endpoints of AWS end in Amazon's own roots ("Amazon Trust Services", Repository). Five
//! certificates are parsed in a moment; the operating system's 145 take a quarter of a cold start.

use std::path::Path;

use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_types::base64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};

/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2, from
/// <https://www.amazontrust.com/repository/>. The first ends on 2037-12-31.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// A bundle, as the AWS CLI and the other SDKs name it ("Configuration and credential file
/// settings", AWS SDKs and Tools Reference Guide).
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// A bundle, or directories of certificates, as OpenSSL names them.
const OF_OPENSSL: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// No certificate can be used of those that a variable names.
#[derive(Debug, thiserror::Error)]
#[error(
    "{variable} is {value:?}, but no certificate could be read there{causes}. It must name \
     certificates in PEM format. Correct it, or remove it to trust the roots of Amazon and of the \
     operating system"
)]
pub(super) struct CertificateError {
    variable: &'static str,
    value: String,
    causes: String,
}

/// Amazon's roots alone.
pub(super) fn amazon_roots() -> TrustStore {
    TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
}

/// The certificates that the environment names, and no others. Without such a variable, `None`.
///
/// # Errors
/// If none of them can be used.
pub(super) fn named_roots(
    var: impl Fn(&str) -> Option<String>,
) -> Result<Option<TrustStore>, CertificateError> {
    let set = |name: &'static str| {
        let value = var(name).filter(|value| !value.is_empty())?;
        Some((name, value))
    };
    let (named, read) = if let Some((name, bundle)) = set(CA_BUNDLE) {
        let read = load_certs_from_paths(Some(Path::new(&bundle)), None);
        ((name, bundle), read)
    } else if let Some(named) = OF_OPENSSL.into_iter().find_map(set) {
        (named, load_native_certs())
    } else {
        return Ok(None);
    };
    usable(named, &read).map(Some)
}

/// A certificate that cannot end a chain is left out, with a warning: the SDK's HTTP client would
/// panic.
fn usable(
    (variable, value): (&'static str, String),
    read: &CertificateResult,
) -> Result<TrustStore, CertificateError> {
    for error in &read.errors {
        tracing::warn!(%error, variable, "certificates were left out");
    }
    let mut roots = TrustStore::empty();
    let mut count = 0;
    for certificate in &read.certs {
        match RootCertStore::empty().add(certificate.clone()) {
            Ok(()) => {
                roots.add_pem_certificate(pem(certificate));
                count += 1;
            }
            Err(error) => tracing::warn!(%error, variable, "a certificate was left out"),
        }
    }
    if count > 0 {
        return Ok(roots);
    }
    let causes = read.errors.iter().map(|error| format!(": {error}"));
    Err(CertificateError {
        variable,
        value,
        causes: causes.collect(),
    })
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = base64::encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
