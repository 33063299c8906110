//! The addresses of the account: one for each AWS service, as in reality, or one for all.

use sim::Account;
use sim::server::Server;

use crate::certificates::Tls;
use crate::failure::Failure;

/// The names of the services in the variables `AWS_ENDPOINT_URL_…`, which all SDKs read.
const SERVICES: [&str; 6] = [
    "ECS",
    "RESOURCE_GROUPS_TAGGING_API",
    "SSM",
    "SQS",
    "S3",
    "SECRETS_MANAGER",
];

/// The servers of an account. Dropping them closes their ports.
pub(crate) struct Hosts {
    servers: Vec<Server>,
}

impl Hosts {
    /// Serves the account over TLS: each service at an address of its own, or all `at_one`.
    pub(crate) async fn start(account: &Account, tls: &Tls, at_one: bool) -> Result<Self, Failure> {
        let number = if at_one { 1 } else { SERVICES.len() };
        let mut servers = Vec::new();
        for _ in 0..number {
            servers.push(Server::start_over(account.clone(), tls.clone()).await?);
        }
        let hosts = Self { servers };
        account.set_endpoint(&hosts.url(3));
        Ok(hosts)
    }

    /// The address of the service at this place.
    fn url(&self, place: usize) -> String {
        let server = self.servers.get(place).or_else(|| self.servers.first());
        server.map(Server::endpoint_url).unwrap_or_default()
    }

    /// The address of what has none of its own: `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint_url(&self) -> String {
        self.url(0)
    }

    /// The variables that name the address of each service.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let services = SERVICES.iter().enumerate();
        services.map(|(place, service)| (format!("AWS_ENDPOINT_URL_{service}"), self.url(place)))
    }
}
