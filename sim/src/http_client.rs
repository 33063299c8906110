//! The account as the SDK's HTTP client: no socket, no thread, the paused clock.

use std::io;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use http_body_util::BodyExt;

use crate::account::{Account, Answer};

impl Account {
    /// The HTTP client that plugs SDK clients into this account.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(SimulatedHttp(self.clone()))
    }

    /// The configuration that `aws_config` would have loaded in this account: Region, test
    /// credentials, the pinned behaviour, tokio's sleep, and the client.
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        let region = self.read(|world| world.shared.config.region.clone());
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(
                "AKIASIMULATED",
                "secret",
                None,
            )))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(self.http_client())
            .build()
    }
}

/// Hands the SDK's requests to an account.
#[derive(Clone, Debug)]
struct SimulatedHttp(Account);

impl HttpClient for SimulatedHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connection {
            account: self.0.clone(),
            read_timeout: settings.read_timeout(),
        })
    }
}

#[derive(Debug)]
struct Connection {
    account: Account,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = self.account.clone();
        let read_timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            match read_timeout {
                Some(limit) => tokio::time::timeout(limit, exchange(account, request))
                    .await
                    .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into()))),
                None => exchange(account, request).await,
            }
        })
    }
}

async fn exchange(account: Account, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let (head, body) = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?
        .into_parts();
    let body = body
        .collect()
        .await
        .map_err(ConnectorError::user)?
        .to_bytes();
    match account.answer(http::Request::from_parts(head, body)).await {
        Answer::Response(response) => HttpResponse::try_from(response.map(SdkBody::from))
            .map_err(|error| ConnectorError::other(error.into(), None)),
        Answer::Reset => Err(ConnectorError::io(
            io::Error::from(io::ErrorKind::ConnectionReset).into(),
        )),
    }
}
