//! Systems Manager Parameter Store: what a parameter's event does not tell, and never its value.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::pages::Pages;
use super::{Error, SdkConfig, impatient, quota, timestamp, unrationed, willing};
use crate::domain::start::ErrorKind;
use crate::pace::Pace;

/// Most values of one filter.
const VALUES_AT_ONCE: usize = 50;

/// Most parameters of one answer.
const PAGE: i32 = 50;

/// How often names that AWS refused together are asked for in two halves: a bad one among fifty
/// takes six. What is refused for another reason must not use up the account's calls.
const MOST_SPLITS: usize = 24;

const DESCRIBE: &str = "DescribeParameters";

/// What is known of a parameter's newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedParameter {
    /// Counted from 1.
    pub version: i64,
    /// When it was written.
    pub at: Timestamp,
    /// The ARN of who wrote it.
    pub by: Option<String>,
}

/// What was told of parameters. What is nowhere in it, Parameter Store does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedParameters {
    /// By their names without a leading slash.
    pub found: BTreeMap<String, ListedParameter>,
    /// Why the parameters of these names, or some below these paths, are missing.
    pub failed: BTreeMap<String, String>,
}

/// Systems Manager.
#[derive(Debug)]
pub struct Ssm {
    client: Client,
    pace: Pace,
}

impl Ssm {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        let config = Builder::from(config)
            .retry_config(willing())
            .retry_partition(unrationed())
            .timeout_config(impatient());
        Self {
            client: Client::from_conf(config.build()),
            pace: quota::PARAMETERS.limit.share(concurrency),
        }
    }

    /// The newest versions of parameters, by their names without a leading slash. Fifty names a
    /// call, none after the instant `by`; up to twelve more calls for each name that AWS
    /// refuses, so that the others of its call are told.
    /// [`DescribeParameters`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
    pub async fn describe(&self, paths: &[&str], by: Instant) -> DescribedParameters {
        let mut described = DescribedParameters::default();
        let names: Vec<_> = paths.iter().flat_map(|path| spellings(path)).collect();
        let (calls, mut splits) = (names.chunks(VALUES_AT_ONCE).collect(), MOST_SPLITS);
        for (names, error) in self
            .describe_apart("Equals", calls, by, &mut splits, &mut described.found)
            .await
        {
            described
                .failed
                .extend(names.iter().map(|name| (path_of(name), error.to_string())));
        }
        described
    }

    /// The newest versions of all parameters below paths, which are named without their leading
    /// slashes. Fifty paths a call; one below which nothing is found is asked for once more
    /// alone, since that one of several values suffices is documented nowhere.
    pub async fn describe_below(&self, paths: &BTreeSet<&str>, by: Instant) -> DescribedParameters {
        let mut described = DescribedParameters::default();
        let outermost = |path: &&&str| {
            !paths
                .iter()
                .any(|other| other != *path && path.starts_with(other))
        };
        let prefixes: Vec<_> = paths.iter().filter(outermost).copied().collect();
        let mut splits = MOST_SPLITS;
        for together in prefixes.chunks(VALUES_AT_ONCE) {
            let failed = self
                .describe_each_below(together, by, &mut splits, &mut described)
                .await;
            let first_from = |path: &str| described.found.range(path.to_owned()..).next();
            let is_empty =
                |path: &&&str| !first_from(path).is_some_and(|(name, _)| name.starts_with(**path));
            let empty: Vec<_> = together.iter().filter(is_empty).copied().collect();
            if together.len() > 1 && !failed {
                for path in empty {
                    self.describe_each_below(&[path], by, &mut splits, &mut described)
                        .await;
                }
            }
        }
        described
    }

    /// Tells whether it failed.
    async fn describe_each_below(
        &self,
        paths: &[&str],
        by: Instant,
        splits: &mut usize,
        described: &mut DescribedParameters,
    ) -> bool {
        let names: Vec<_> = paths.iter().map(|path| format!("/{path}")).collect();
        // A name may have no slash at all.
        let names = if paths.contains(&"") {
            &[]
        } else {
            names.as_slice()
        };
        let failed = self
            .describe_apart(
                "BeginsWith",
                [names].into(),
                by,
                splits,
                &mut described.found,
            )
            .await;
        for (names, error) in &failed {
            let paths = if names.is_empty() {
                vec![String::new()]
            } else {
                names.iter().map(|name| path_of(name)).collect()
            };
            described
                .failed
                .extend(paths.into_iter().map(|path| (path, error.to_string())));
        }
        !failed.is_empty()
    }

    /// Asks for the names of each of these calls together, and at last for the halves of what AWS
    /// refuses together, the larger ones first, so that a bad name is told apart from the rest.
    /// Answers the names that could not be asked for, and why.
    async fn describe_apart<'a>(
        &self,
        option: &str,
        mut calls: VecDeque<&'a [String]>,
        by: Instant,
        splits: &mut usize,
        found: &mut BTreeMap<String, ListedParameter>,
    ) -> Vec<(&'a [String], Error)> {
        let mut failed = Vec::new();
        while let Some(names) = calls.pop_front() {
            match self.describe_all(option, names, by, found).await {
                Ok(()) => {}
                Err(error)
                    if error.cause == ErrorKind::Rejected && names.len() > 1 && *splits > 0 =>
                {
                    *splits -= 1;
                    let (first, second) = names.split_at(names.len() / 2);
                    calls.extend([first, second]);
                }
                Err(error) => failed.push((names, error)),
            }
        }
        failed
    }

    /// An answer may be empty and yet not the last. What was found stays found where the listing
    /// fails.
    async fn describe_all(
        &self,
        option: &str,
        names: &[String],
        by: Instant,
        found: &mut BTreeMap<String, ListedParameter>,
    ) -> Result<(), Error> {
        let filter = ParameterStringFilter::builder()
            .key("Name")
            .option(option)
            .set_values(Some(names.to_vec()))
            .build();
        let filter = filter.map_err(|_| Error::incomplete(DESCRIBE, None, "a filter"))?;
        let filters = (!names.is_empty()).then(|| vec![filter]);
        let request = self
            .client
            .describe_parameters()
            .set_parameter_filters(filters)
            .max_results(PAGE);
        let mut pages = Pages::default();
        loop {
            if !self.pace.admit(by).await {
                return Err(Error::late(DESCRIBE, None));
            }
            let asked = request.clone().set_next_token(pages.token()).send();
            let answer = timeout_at(by, asked)
                .await
                .map_err(|_| Error::late(DESCRIBE, None))?;
            let answer = answer.map_err(|error| Error::new(DESCRIBE, None, &error))?;
            found.extend(answer.parameters().iter().filter_map(described));
            if !pages.next(answer.next_token) {
                break;
            }
        }
        if pages.is_whole() {
            Ok(())
        } else {
            Err(Error::in_a_circle(DESCRIBE, None))
        }
    }
}

/// A name with a path begins with a slash; one without may or may not, and its ARN does not tell.
fn spellings(path: &str) -> Vec<String> {
    if path.contains('/') {
        vec![format!("/{path}")]
    } else {
        vec![path.to_owned(), format!("/{path}")]
    }
}

fn path_of(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn described(told: &ParameterMetadata) -> Option<(String, ListedParameter)> {
    let name = told.name()?;
    let at = timestamp(told.last_modified_date()?)?;
    Some((
        path_of(name),
        ListedParameter {
            version: told.version(),
            at,
            by: told.last_modified_user().map(str::to_owned),
        },
    ))
}
