//! The HTTP client of all SDK clients, so that they share connections.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_http_client::pool::{self, Client, ConnectionPool};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::CertificateError::UnknownIssuer;

use super::trust::{amazon_roots, named_roots};

/// Makes the client. `var` reads the environment, which may name the certificates to trust.
///
/// # Errors
/// If the environment names certificates, and none of them can be used.
pub(super) fn http_client(
    var: impl Fn(&str) -> Option<String>,
) -> Result<SharedHttpClient, BoxError> {
    let client = match named_roots(var)? {
        Some(roots) => SharedHttpClient::new(client_that_trusts(roots)?),
        None => SharedHttpClient::new(AmazonFirst::new()?),
    };
    Ok(client)
}

/// The certificates are parsed when the first connection is opened.
fn client_that_trusts(roots: TrustStore) -> Result<Client, BoxError> {
    let context = TlsContext::builder().with_trust_store(roots).build()?;
    let pool: ConnectionPool = pool::Builder::default()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https()?;
    Ok(Client::new(&pool)?)
}

/// Trusts Amazon's roots alone until a certificate of a server ends in none of them: behind a proxy
/// that opens connections, and in some partitions. From then on it trusts those of the operating
/// system instead.
#[derive(Clone, Debug)]
struct AmazonFirst {
    amazon: Client,
    system: Client,
    trusts_system: Arc<AtomicBool>,
}

impl AmazonFirst {
    fn new() -> Result<Self, BoxError> {
        Ok(Self {
            amazon: client_that_trusts(amazon_roots())?,
            system: client_that_trusts(TrustStore::default())?,
            trusts_system: Arc::default(),
        })
    }
}

impl HttpClient for AmazonFirst {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            amazon: self.amazon.http_connector(settings, components),
            system: self.system.http_connector(settings, components),
            trusts_system: Arc::clone(&self.trusts_system),
        })
    }
}

#[derive(Clone, Debug)]
struct Connector {
    amazon: SharedHttpConnector,
    system: SharedHttpConnector,
    trusts_system: Arc<AtomicBool>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.trusts_system.load(Ordering::Relaxed) {
            return self.system.call(request);
        }
        let again = request.try_clone();
        let Self {
            amazon,
            system,
            trusts_system,
        } = self.clone();
        HttpConnectorFuture::new(async move {
            match (amazon.call(request).await, again) {
                (Err(error), Some(again)) if is_unknown_issuer(&error) => {
                    trusts_system.store(true, Ordering::Relaxed);
                    system.call(again).await
                }
                (answer, _) => answer,
            }
        })
    }
}

/// True if the chain of the server's certificate ends in none of the roots. Nothing of the request
/// was sent then.
fn is_unknown_issuer(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(UnknownIssuer)) = error.downcast_ref() {
            return true;
        }
        // The source of an I/O error is that of the error inside it.
        let inside = error.downcast_ref().and_then(std::io::Error::get_ref);
        cause = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    false
}
