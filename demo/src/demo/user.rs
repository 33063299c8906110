//! The user of the demo: it sends over the wire the same requests as `aws s3 cp`, `aws ssm
//! put-parameter` and `aws secretsmanager rotate-secret`.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::fleet::REGION;
use crate::verdict::Error;

/// The access key id that the user's calls are signed with.
const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

/// Someone with credentials for the account that listens at `address`.
pub(super) struct User {
    address: SocketAddr,
}

impl User {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// `PutObject` (S3 API). `object` is `bucket/key`.
    pub(super) async fn put_object(&self, object: &str, content: &str) -> Result<(), Error> {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("/{object}"))
            .header("Content-Type", "text/plain");
        self.send("s3", request, Bytes::from(content.to_owned()))
            .await?;
        Ok(())
    }

    /// `PutParameter` (Systems Manager API), overwriting; the version it made.
    pub(super) async fn put_parameter(&self, name: &str, value: &str) -> Result<u64, Error> {
        let input = json!({ "Name": name, "Value": value, "Type": "String", "Overwrite": true });
        let answer = self.call("ssm", "AmazonSSM.PutParameter", &input).await?;
        answer
            .get("Version")
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("the answer of PutParameter has no version: {answer}").into())
    }

    /// `RotateSecret` (Secrets Manager API), immediately.
    pub(super) async fn rotate_secret(&self, name: &str) -> Result<(), Error> {
        self.call(
            "secretsmanager",
            "secretsmanager.RotateSecret",
            &json!({ "SecretId": name }),
        )
        .await?;
        Ok(())
    }

    /// A call of a JSON API; its output.
    async fn call(&self, service: &str, operation: &str, input: &Value) -> Result<Value, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("X-Amz-Target", operation);
        Ok(serde_json::from_slice(
            &self
                .send(service, request, Bytes::from(input.to_string()))
                .await?,
        )?)
    }

    /// Sends one request on a connection of its own; the body of a successful answer.
    async fn send(
        &self,
        service: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Bytes, Error> {
        // The account reads the signer and the scope; it does not verify signatures.
        let scope = format!("{ACCESS_KEY_ID}/20260131/{REGION}/{service}/aws4_request");
        let request = request
            .header("Host", self.address.to_string())
            .header(
                "Authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(Full::new(body))?;

        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        let (answer, _) = tokio::join!(exchange, connection);
        match answer? {
            (status, body) if status.is_success() => Ok(body),
            (status, body) => Err(format!(
                "{service} answered {status}: {}",
                String::from_utf8_lossy(&body)
            )
            .into()),
        }
    }
}
