//! The access of clients outside this process to the account: its endpoint and dummy credentials.

use sim::server::Server;

/// The account reads who signed a request, and verifies no signature.
const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
];

/// The settings of an AWS client.
pub(crate) struct Access {
    /// The value of `AWS_ENDPOINT_URL`.
    pub(crate) endpoint: String,
    region: String,
}

impl Access {
    /// Access to the account that `server` serves, in this Region.
    pub(crate) fn new(server: &Server, region: &str) -> Self {
        Self {
            endpoint: server.endpoint_url(),
            region: region.to_owned(),
        }
    }

    /// The environment variables that the AWS CLI and the SDKs read.
    pub(crate) fn variables(&self) -> Vec<(&'static str, &str)> {
        let place = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
        ];
        place.into_iter().chain(CREDENTIALS).collect()
    }

    /// A command of the AWS CLI, complete for pasting into a shell.
    pub(crate) fn aws(&self, command: &str) -> String {
        let credentials = CREDENTIALS.map(|(name, value)| format!("{name}={value}"));
        format!(
            "{} aws --endpoint-url {} --region {} {command}",
            credentials.join(" "),
            self.endpoint,
            self.region
        )
    }
}
