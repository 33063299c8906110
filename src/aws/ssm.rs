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

    /// The newest versions of parameters, by their names without a leading slash; what is not found is left out. Fifty a call; what one call
    /// does not tell before the instant `by` is in the errors.
    /// [`DescribeParameters`](https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html)
    pub async fn describe(&self, paths: &[&str], by: Instant) -> (BTreeMap<String, Described>, Vec<Error>) {
        let names: Vec<_> = paths.iter().flat_map(|path| spellings(path)).collect();
        let (mut found, mut errors) = (BTreeMap::new(), Vec::new());
        for names in names.chunks(NAMES_AT_ONCE) {
            let told = if self.pace.admit(by).await { timeout_at(by, self.describe_some(names)).await.ok() } else { None };
            match told.unwrap_or_else(|| Err(Error::late(DESCRIBE, None))) {
                Ok(told) => found.extend(told.iter().filter_map(described)),
                Err(error) => errors.push(error),
            }
        }
        (found, errors)
    }

    async fn describe_some(&self, names: &[String]) -> Result<Vec<ParameterMetadata>, Error> {
        let filter = ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names.to_vec())).build();
        let filter = filter.map_err(|_| Error::incomplete(DESCRIBE, None, "a filter"))?;
        let answer = self.client.describe_parameters().parameter_filters(filter).max_results(50).send().await;
        Ok(answer.map_err(|error| Error::new(DESCRIBE, None, &error))?.parameters.unwrap_or_default())
    }
}

/// A name with a path begins with a slash; one without may or may not, and its ARN does not tell.
fn spellings(path: &str) -> Vec<String> {
    if path.contains('/') { vec![format!("/{path}")] } else { vec![path.to_owned(), format!("/{path}")] }
}

fn described(told: &ParameterMetadata) -> Option<(String, Described)> {
    let name = told.name()?;
    let at = timestamp(told.last_modified_date()?)?;
    let path = name.strip_prefix('/').unwrap_or(name).to_owned();
    Some((path, Described { version: told.version(), at, by: told.last_modified_user().map(str::to_owned) }))
}
