//! The account over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "clippy spares test functions, not what they call"
)]

use std::net::SocketAddr;
use std::time::Duration;

use sim::server::{Layer, Server};
use sim::{Account, AccountConfig, Fault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn serve(account: &Account) -> Server {
    Server::start(account.clone(), 0).await.unwrap()
}

/// One JSON 1.1 call on a connection of its own; everything that came back until the server closed
/// it.
async fn call(address: SocketAddr, operation: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: \
         {operation}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

const LIST_CLUSTERS: &str = "AmazonEC2ContainerServiceV20141113.ListClusters";

#[tokio::test]
async fn the_account_answers_over_a_socket_on_the_loopback_interface_only() {
    let account = Account::new(AccountConfig::default());
    let server = serve(&account).await;

    let answer = call(server.address(), LIST_CLUSTERS, "{}").await;

    assert!(server.address().ip().is_loopback());
    assert_eq!(
        server.endpoint_url(),
        format!("http://127.0.0.1:{}", server.address().port())
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("clusterArns"), "{answer}");
}

#[tokio::test]
async fn an_error_of_the_api_is_an_answer_like_any_other() {
    let account = Account::new(AccountConfig::default());
    let server = serve(&account).await;

    let answer = call(
        server.address(),
        "AmazonSSM.GetParameter",
        r#"{"Name":"/nowhere"}"#,
    )
    .await;

    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("ParameterNotFound"), "{answer}");
}

#[tokio::test]
async fn a_reset_closes_the_connection_without_an_answer() {
    let account = Account::new(AccountConfig::default());
    account.inject(Fault::reset("ecs:ListClusters").times(1));
    let server = serve(&account).await;

    assert_eq!(call(server.address(), LIST_CLUSTERS, "{}").await, "");
    assert!(
        call(server.address(), LIST_CLUSTERS, "{}")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n"),
        "the next call is answered"
    );
}

#[tokio::test]
async fn a_call_that_hangs_does_not_hold_up_the_others() {
    let account = Account::new(AccountConfig::default());
    account.inject(Fault::hang("ecs:ListClusters").times(1));
    let server = serve(&account).await;

    let mut hanging = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: {LIST_CLUSTERS}\r\nContent-Length: \
         2\r\n\r\n{{}}"
    );
    hanging.write_all(request.as_bytes()).await.unwrap();
    let silence = timeout(Duration::from_millis(200), hanging.read_u8()).await;

    assert!(silence.is_err(), "nothing is ever answered");
    assert!(
        call(server.address(), LIST_CLUSTERS, "{}")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
}

#[tokio::test]
async fn connections_are_served_at_the_same_time() {
    let account = Account::new(AccountConfig {
        latency: Duration::from_millis(200),
        ..AccountConfig::default()
    });
    let server = serve(&account).await;
    let began = tokio::time::Instant::now();

    let calls = (0..20).map(|_| call(server.address(), LIST_CLUSTERS, "{}"));
    let answers = futures_util::future::join_all(calls).await;

    assert!(
        answers
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 200 OK\r\n"))
    );
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "20 calls of 200 ms took {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_dropped_server_listens_no_more() {
    let account = Account::new(AccountConfig::default());
    let server = serve(&account).await;
    let address = server.address();

    drop(server);
    tokio::task::yield_now().await;

    assert!(TcpStream::connect(address).await.is_err());
}

/// Stands for TLS: a client proves itself by one byte before it speaks HTTP.
#[derive(Clone)]
struct Password(u8);

impl Layer for Password {
    type Stream = TcpStream;

    async fn accept(self, mut stream: TcpStream) -> std::io::Result<TcpStream> {
        if stream.read_u8().await? == self.0 {
            Ok(stream)
        } else {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
}

/// The account's answer on a connection that begins with this byte.
async fn answer_over(address: SocketAddr, password: u8) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: \
         {LIST_CLUSTERS}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_u8(password).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is closed with unread bytes is reset.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_server_over_a_layer_answers_those_whom_the_layer_accepts() {
    let account = Account::new(AccountConfig::default());
    let server = Server::start_over(account, Password(7)).await.unwrap();

    let accepted = answer_over(server.address(), 7).await;
    let refused = answer_over(server.address(), 8).await;

    assert!(accepted.starts_with("HTTP/1.1 200 OK\r\n"), "{accepted}");
    assert_eq!(refused, "");
    assert_eq!(
        server.endpoint_url(),
        format!("https://{}", server.address())
    );
}
