//! Two APIs of AWS that speak AWS JSON 1.1.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::Failure;
use crate::http::Connection;
use crate::sign::Signer;

/// A variable of the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own, without the settings of the function"
)]
pub(crate) fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// The clients. A connection is opened with the first call.
pub(crate) struct Aws {
    tls: Arc<ClientConfig>,
    signer: Signer,
    tagging: Option<Connection>,
    ecs: Option<Connection>,
}

impl Aws {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(variable("SSL_CERT_FILE")?)? {
            roots.add(root?)?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(tls),
            signer: Signer::new()?,
            tagging: None,
            ecs: None,
        })
    }

    /// A call of the Resource Groups Tagging API.
    pub(crate) fn tagging(&mut self, operation: &str, input: &Value) -> Result<Vec<u8>, Failure> {
        let target = format!("ResourceGroupsTaggingAPI_20170126.{operation}");
        let call = Call {
            endpoint: "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
            service: "tagging",
            target: &target,
            body: &input.to_string(),
        };
        call.make(&mut self.tagging, &self.tls, &self.signer)
    }

    /// A call of the Amazon ECS API.
    pub(crate) fn ecs(&mut self, operation: &str, input: &Value) -> Result<Vec<u8>, Failure> {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        let call = Call {
            endpoint: "AWS_ENDPOINT_URL_ECS",
            service: "ecs",
            target: &target,
            body: &input.to_string(),
        };
        call.make(&mut self.ecs, &self.tls, &self.signer)
    }
}

struct Call<'a> {
    endpoint: &'static str,
    service: &'static str,
    target: &'a str,
    body: &'a str,
}

impl Call<'_> {
    fn make(
        &self,
        connection: &mut Option<Connection>,
        tls: &Arc<ClientConfig>,
        signer: &Signer,
    ) -> Result<Vec<u8>, Failure> {
        let endpoint = variable(self.endpoint)?;
        let host = endpoint.trim_start_matches("https://");
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(Connection::tls(host, Arc::clone(tls))?),
        };
        let head = signer.sign(self.service, host, self.target, self.body.as_bytes());
        let answer = connection.send(&format!("{head}{}", self.body))?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            let text = String::from_utf8_lossy(&answer.body);
            Err(io::Error::other(format!("{}: {}: {text}", self.target, answer.status)).into())
        }
    }
}
