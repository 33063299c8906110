use std::time::Duration;

use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use sim::server::Server;
use sim::tls::Tls;
use sim::{Account, AccountConfig};
use tokio::time::Instant;

use super::{AmazonFirst, client_that_trusts};
use crate::aws::trust::amazon_roots;
use crate::aws::{Aws, Error};

/// Lists nothing, twice, over a client whose system trusts these roots.
async fn list(system: impl FnOnce(&Tls) -> TrustStore) -> (Result<(), Error>, Account) {
    let tls = Tls::of_a_new_authority().unwrap();
    let account = Account::new(AccountConfig::default());
    let server = Server::start_over(account.clone(), tls.clone())
        .await
        .unwrap();
    let http = AmazonFirst {
        amazon: client_that_trusts(amazon_roots()).unwrap(),
        system: client_that_trusts(system(&tls)).unwrap(),
        trusts_system: std::sync::Arc::default(),
    };
    let config = account
        .sdk_config()
        .into_builder()
        .http_client(SharedHttpClient::new(http))
        .endpoint_url(server.endpoint_url())
        .build();
    let aws = Aws::new(&config, 1);
    let by = Instant::now() + Duration::from_secs(10);
    let mut answer = Ok(());
    for _ in 0..2 {
        answer = answer.and(aws.secrets.list(by).await.map(|_| ()));
    }
    (answer, account)
}

#[tokio::test]
async fn the_systems_roots_are_trusted_when_amazons_do_not_suffice() {
    let (answer, account) = list(|tls| TrustStore::empty().with_pem_certificate(tls.root())).await;

    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(account.calls().len(), 2);
}

#[tokio::test]
async fn a_certificate_that_neither_knows_is_refused() {
    let (answer, account) = list(|_| amazon_roots()).await;

    let error = answer.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert!(account.calls().is_empty());
}
