//! The account as the SDK's HTTP client: no socket, no thread, the paused clock.

use std::io;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;

use crate::account::{Account, Answer};

/// Hands the SDK's requests to an account.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedHttp(pub(crate) Account);

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
