//! `demo serve`.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use serde_json::json;
use sim::server::Server;
use sim::{Account, AccountConfig};
use tokio::sync::oneshot;

use crate::clock::wall_clock;
use crate::verdict::{Error, Verdict};

/// How far the account is driven at a time.
const STRETCH: Duration = Duration::from_hours(1);

pub(crate) async fn run(port: u16) -> Result<Verdict, Error> {
    let config = AccountConfig {
        epoch: wall_clock(),
        ..AccountConfig::default()
    };
    let (account_id, region) = (config.account_id.clone(), config.region.clone());
    let account = Account::new(config);
    let server = Server::start(account.clone(), port)
        .await
        .map_err(|error| format!("cannot listen on port {port} of 127.0.0.1: {error}"))?;

    let endpoint = server.endpoint_url();
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", &region),
        ("AWS_DEFAULT_REGION", &region),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let variables = environment
        .map(|(name, value)| format!("{name}={value}"))
        .join(" ");
    let told = json!({
        "endpoint": endpoint,
        "account": account_id,
        "environment": serde_json::Map::from_iter(environment.map(|(name, value)| (name.to_owned(), json!(value)))),
        "try": format!("{variables} aws ecs list-clusters"),
    });
    writeln!(io::stdout(), "{told}")?;

    tokio::select! {
        () = pass_time(&account) => {}
        _ = stdin_closed() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(Verdict::Well)
}

async fn pass_time(account: &Account) {
    loop {
        account.run_for(STRETCH).await;
    }
}

/// Resolves when standard input ends, whatever is written to it until then.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (closed, resolves) = oneshot::channel();
    // A thread of its own, which nothing waits for: a blocking read cannot be cancelled and would
    // keep the runtime from ending.
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while matches!(io::stdin().read(&mut buffer), Ok(count) if count > 0) {}
        let _ = closed.send(());
    });
    resolves
}
