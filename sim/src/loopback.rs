//! HTTP/1.1 on a loopback port, directly on TCP or over a layer such as TLS.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::account::Answer;

/// A layer between TCP and HTTP: TLS.
pub trait Layer: Clone + Send + Sync + 'static {
    /// The stream that HTTP runs on.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Prepares a connection that a client opened. Without a stream the connection is closed.
    fn accept(
        self,
        stream: TcpStream,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static;
}

/// No layer: HTTP is spoken on TCP itself.
#[derive(Clone, Debug)]
struct Plain;

impl Layer for Plain {
    type Stream = TcpStream;

    async fn accept(self, stream: TcpStream) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

/// A port with a listener, until this is dropped.
#[derive(Debug)]
pub(crate) struct Loopback {
    pub(crate) address: SocketAddr,
    /// The accept loop owns the connections, and ends when the set is dropped.
    _accepting: JoinSet<()>,
}

impl Loopback {
    /// Answers every request with `answer`, each connection by itself.
    pub(crate) async fn listen<A, F>(port: u16, answer: A) -> io::Result<Self>
    where
        A: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::listen_over(Plain, port, answer).await
    }

    /// The same, over a layer.
    pub(crate) async fn listen_over<L, A, F>(layer: L, port: u16, answer: A) -> io::Result<Self>
    where
        L: Layer,
        A: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(layer, listener, answer));
        Ok(Self {
            address,
            _accepting: accepting,
        })
    }
}

async fn accept<L, A, F>(layer: L, listener: TcpListener, answer: A)
where
    L: Layer,
    A: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small, and the client waits for them: Nagle's algorithm would only
                // delay them.
                let _ = stream.set_nodelay(true);
                let (accepting, answer) = (layer.clone().accept(stream), answer.clone());
                connections.spawn(async move {
                    if let Ok(stream) = accepting.await {
                        converse(stream, answer).await;
                    }
                });
            }
            // Usually there are no file descriptors left. Connections that end free some.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection until the client closes or breaks it.
async fn converse<S, A, F>(stream: S, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Bytes>) -> F,
    F: Future<Output = Answer>,
{
    let service = service_fn(|request: Request<Incoming>| async {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        match answer(Request::from_parts(parts, body)).await {
            Answer::Response(response) => Ok::<_, Reset>(response.map(Full::<Bytes>::from)),
            Answer::Reset => Err(Reset),
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset")]
struct Reset;
