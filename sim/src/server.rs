//! A simulated account on a loopback port, for clients outside this process: the real binary, the
//! AWS CLI, boto3.
//!
//! HTTP/1.1 on 127.0.0.1, plain or over a layer such as TLS. A client is pointed at it with `AWS_ENDPOINT_URL`, so requests are
//! recognized by path and headers, not by host.

use std::io;
use std::net::SocketAddr;

use crate::account::Account;
pub use crate::loopback::Layer;
use crate::loopback::Loopback;

/// An account that is being served. Dropping it closes the port and every connection.
#[derive(Debug)]
#[must_use = "the server stops when it is dropped"]
pub struct Server {
    loopback: Loopback,
    scheme: &'static str,
}

impl Server {
    /// Serves `account` on 127.0.0.1 and `port`; the system picks a free one for 0.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    pub async fn start(account: Account, port: u16) -> io::Result<Self> {
        let answering = account.clone();
        let loopback = Loopback::listen(port, move |request| {
            let account = answering.clone();
            async move { account.answer(request).await }
        });
        let server = Self {
            loopback: loopback.await?,
            scheme: "http",
        };
        account.set_endpoint(&server.endpoint_url());
        Ok(server)
    }

    /// Serves `account` as `https` over `layer`, on a port of 127.0.0.1 that the system picks. The
    /// URLs of its queues stay as they are: an account may have several servers.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub async fn start_over<L: Layer>(account: Account, layer: L) -> io::Result<Self> {
        let loopback = Loopback::listen_over(layer, 0, move |request| {
            let account = account.clone();
            async move { account.answer(request).await }
        });
        Ok(Self {
            loopback: loopback.await?,
            scheme: "https",
        })
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.address
    }

    /// The value for `AWS_ENDPOINT_URL`, without a slash at the end.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }
}
