//! `demo serve`.

use std::io::{self, Read as _, Write as _};

use serde_json::{Map, json};
use sim::server::Server;
use sim::{Account, AccountConfig};
use tokio::sync::oneshot;

use crate::access::Access;
use crate::clock;
use crate::verdict::{Error, Verdict};

/// Serves an empty account until standard input ends.
pub(crate) async fn run(port: u16) -> Result<Verdict, Error> {
    let config = AccountConfig {
        epoch: clock::now(),
        ..AccountConfig::default()
    };
    let (account_id, region) = (config.account_id.clone(), config.region.clone());
    let account = Account::new(config);
    let server = Server::start(account.clone(), port)
        .await
        .map_err(|error| format!("cannot listen on port {port} of 127.0.0.1: {error}"))?;

    let access = Access::new(&server, &region);
    let variables = access.variables().into_iter();
    let environment = variables.map(|(name, value)| (name.to_owned(), json!(value)));
    let description = json!({
        "endpoint": access.endpoint,
        "account": account_id,
        "environment": environment.collect::<Map<_, _>>(),
        "try": access.aws("ecs list-clusters"),
    });
    writeln!(io::stdout(), "{description}")?;

    tokio::select! {
        () = clock::pass(&account) => {}
        _ = stdin_closed() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(Verdict::Well)
}

/// Resolves when standard input ends; its contents are ignored.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (closed, resolves) = oneshot::channel();
    // A thread of its own that nothing waits for: a blocking read cannot be cancelled, and in the
    // runtime it would keep the runtime from ending.
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while matches!(io::stdin().read(&mut buffer), Ok(count) if count > 0) {}
        let _ = closed.send(());
    });
    resolves
}
