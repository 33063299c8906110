//! Systems Manager Parameter Store: what a parameter's event does not tell, and never its value.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::{Error, SdkConfig, impatient, timestamp, unrationed, willing};
use crate::pace::Pace;

/// Most values of one filter.
const NAMES_AT_ONCE: usize = 50;

const DESCRIBE: &str = "DescribeParameters";

/// What is known of a parameter's newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Counted from 1.
    pub version: i64,
    /// When it was written.
    pub at: Timestamp,
    /// The ARN of who wrote it.
    pub by: Option<String>,
}

/// Systems Manager.
#[derive(Debug)]
pub struct Ssm {
    client: Client,
    /// Below the three calls a second that the account has ("AWS Systems Manager endpoints and quotas").
    pace: Pace,
}

impl Ssm {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config).retry_config(willing()).retry_partition(unrationed()).timeout_config(impatient());
        Self { client: Client::from_conf(config.build()), pace: Pace::new(3, 2.0) }
    }

    /// The newest versions of parameters, by their names without a leading slash, and why those are missing that a call was asked for in vain.
    /// What is in neither, Parameter Store does not know. Fifty names a call, none after the instant `by`.
    /// [`DescribeParameters`](https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html)
    pub async fn describe(&self, paths: &[&str], by: Instant) -> (BTreeMap<String, Described>, BTreeMap<String, String>) {
        let (mut found, mut failed) = (BTreeMap::new(), BTreeMap::new());
        let names: Vec<_> = paths.iter().flat_map(|path| spellings(path)).collect();
        for names in names.chunks(NAMES_AT_ONCE) {
            let told = timeout_at(by, self.describe_all("Equals", names.to_vec())).await;
            match told.unwrap_or_else(|_| Err(Error::late(DESCRIBE, None))) {
                Ok(told) => found.extend(told.iter().filter_map(described)),
                Err(error) => failed.extend(names.iter().map(|name| (path_of(name), error.to_string()))),
            }
        }
        (found, failed)
    }

    /// The newest versions of all parameters below a path, which is named without its leading slash.
    ///
    /// # Errors
    /// They could not be listed to the end before the instant `by`.
    pub async fn describe_below(&self, path: &str, by: Instant) -> Result<BTreeMap<String, Described>, Error> {
        let told = timeout_at(by, self.describe_all("BeginsWith", vec![format!("/{path}")])).await;
        Ok(told.unwrap_or_else(|_| Err(Error::late(DESCRIBE, Some(path.to_owned()))))?.iter().filter_map(described).collect())
    }

    /// An answer may be empty and yet not the last.
    async fn describe_all(&self, option: &str, names: Vec<String>) -> Result<Vec<ParameterMetadata>, Error> {
        let filter = ParameterStringFilter::builder().key("Name").option(option).set_values(Some(names)).build();
        let filter = filter.map_err(|_| Error::incomplete(DESCRIBE, None, "a filter"))?;
        let request = self.client.describe_parameters().parameter_filters(filter).max_results(50);
        let (mut told, mut token) = (Vec::new(), None);
        loop {
            self.pace.turn().await;
            let answer = request.clone().set_next_token(token).send().await.map_err(|error| Error::new(DESCRIBE, None, &error))?;
            told.extend(answer.parameters.unwrap_or_default());
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(told);
            }
        }
    }
}

/// A name with a path begins with a slash; one without may or may not, and its ARN does not tell.
fn spellings(path: &str) -> Vec<String> {
    if path.contains('/') { vec![format!("/{path}")] } else { vec![path.to_owned(), format!("/{path}")] }
}

fn path_of(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn described(told: &ParameterMetadata) -> Option<(String, Described)> {
    let name = told.name()?;
    let at = timestamp(told.last_modified_date()?)?;
    Some((path_of(name), Described { version: told.version(), at, by: told.last_modified_user().map(str::to_owned) }))
}
