//! Systems Manager Parameter Store: the version and time of a parameter, which its event lacks. Its
//! value is never read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter};
use aws_types::SdkConfig;
use jiff::Timestamp;
use tokio::time::Instant;

use super::call::Call;
use super::config::{client, few_retries};
use super::error::Error;
use super::pages::Pages;
use super::quota;
use super::timestamp::timestamp;
use crate::domain::start::ErrorKind;
use crate::pace::Pace;

/// Most values of one filter.
const VALUES_AT_ONCE: usize = 50;

/// Most parameters of one answer.
const PAGE: i32 = 50;

/// The most splits of one search. Names that AWS refuses together are sent again in two halves: to
/// find one bad name among fifty takes six splits. If all names are refused for another reason, the
/// splits must not use up the account's calls.
const MOST_SPLITS: usize = 24;

/// The newest version of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedParameter {
    /// Counted from 1.
    pub version: i64,
    /// The time of its writing.
    pub at: Timestamp,
    /// The ARN of the person or role that wrote it.
    pub by: Option<String>,
}

/// Parameters. One that is in neither field does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedParameters {
    /// By their names without a leading slash.
    pub found: BTreeMap<String, ListedParameter>,
    /// The errors of the names and paths that could not be described.
    pub failed: BTreeMap<String, String>,
}

/// Systems Manager.
#[derive(Debug)]
pub struct Ssm {
    client: Client,
    pace: Pace,
}

/// Names, or paths, that could not be described.
struct Refused<'a> {
    names: &'a [String],
    error: Error,
}

/// The descriptions of one search.
struct Search<'a> {
    ssm: &'a Ssm,
    /// `Equals` or `BeginsWith`.
    option: &'static str,
    by: Instant,
    /// Splits that are left.
    splits: usize,
    described: DescribedParameters,
}

impl Ssm {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            client: client!(aws_sdk_ssm, config, few_retries()),
            pace: quota::PARAMETERS.limit.share(concurrency),
        }
    }

    /// The newest versions of parameters, by their names without a leading slash. Fifty names a
    /// call, none after the instant `by`. For each name that AWS refuses there are up to twelve
    /// more calls, so that the others of its call are described.
    pub async fn describe(&self, paths: &[&str], by: Instant) -> DescribedParameters {
        let mut search = self.search("Equals", by);
        let names: Vec<_> = paths.iter().flat_map(|path| spellings(path)).collect();
        let calls = names.chunks(VALUES_AT_ONCE).collect();
        for refused in search.describe_apart(calls).await {
            let names = refused.names.iter().map(|name| path_of(name));
            search.fail(names, &refused.error);
        }
        search.described
    }

    /// The newest versions of all parameters below paths, which have no leading slashes. Fifty
    /// paths a call. A path below which nothing is found is sent once more alone: no document says
    /// that a parameter need match only one of several values.
    pub async fn describe_below(&self, paths: &BTreeSet<&str>, by: Instant) -> DescribedParameters {
        let mut search = self.search("BeginsWith", by);
        let is_outermost = |path: &&&str| {
            !paths
                .iter()
                .any(|other| other != *path && path.starts_with(other))
        };
        let prefixes: Vec<_> = paths.iter().filter(is_outermost).copied().collect();
        for together in prefixes.chunks(VALUES_AT_ONCE) {
            let has_failed = search.describe_each_below(together).await;
            if together.len() > 1 && !has_failed {
                let is_empty = |path: &&&str| !search.has_any_below(path);
                let empty: Vec<_> = together.iter().filter(is_empty).copied().collect();
                for path in empty {
                    search.describe_each_below(&[path]).await;
                }
            }
        }
        search.described
    }

    fn search(&self, option: &'static str, by: Instant) -> Search<'_> {
        Search {
            ssm: self,
            option,
            by,
            splits: MOST_SPLITS,
            described: DescribedParameters::default(),
        }
    }

    /// Adds the parameters that match any of `names`, or all parameters if there are none:
    /// [`DescribeParameters`][api]. If the listing fails, parameters of earlier pages stay.
    ///
    /// [api]: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
    async fn describe_parameters(
        &self,
        option: &str,
        names: &[String],
        by: Instant,
        found: &mut BTreeMap<String, ListedParameter>,
    ) -> Result<(), Error> {
        let call = Call::whole("DescribeParameters");
        let filter = ParameterStringFilter::builder()
            .key("Name")
            .option(option)
            .set_values(Some(names.to_vec()))
            .build();
        let filter = filter.map_err(|_| call.incomplete("a filter"))?;
        let request = self
            .client
            .describe_parameters()
            .set_parameter_filters((!names.is_empty()).then(|| vec![filter]))
            .max_results(PAGE);
        let mut pages = Pages::default();
        loop {
            let page = request.clone().set_next_token(pages.token());
            let answer = call.send_paced(&self.pace, by, page.send()).await?;
            found.extend(answer.parameters().iter().filter_map(parameter));
            // An empty answer need not be the last one.
            if !pages.next(answer.next_token) {
                break;
            }
        }
        if pages.is_whole() {
            Ok(())
        } else {
            Err(call.repeated_token())
        }
    }
}

impl Search<'_> {
    /// Describes the parameters below paths. True if that failed for any of them.
    async fn describe_each_below(&mut self, paths: &[&str]) -> bool {
        // A name may have no slash at all.
        let names: Vec<_> = if paths.contains(&"") {
            Vec::new()
        } else {
            paths.iter().map(|path| format!("/{path}")).collect()
        };
        let refused = self.describe_apart([names.as_slice()].into()).await;
        for refused in &refused {
            if refused.names.is_empty() {
                self.fail([String::new()], &refused.error);
            } else {
                let paths = refused.names.iter().map(|name| path_of(name));
                self.fail(paths, &refused.error);
            }
        }
        !refused.is_empty()
    }

    /// Sends the names of each of these calls together. Names that AWS refuses together are sent
    /// again at the end, in two halves, the larger ones first. So the good names among them are
    /// described, and the bad ones are returned.
    async fn describe_apart<'n>(&mut self, mut calls: VecDeque<&'n [String]>) -> Vec<Refused<'n>> {
        let mut refused = Vec::new();
        while let Some(names) = calls.pop_front() {
            let found = &mut self.described.found;
            let described = self
                .ssm
                .describe_parameters(self.option, names, self.by, found)
                .await;
            match described {
                Ok(()) => {}
                Err(error)
                    if error.kind == ErrorKind::Rejected && names.len() > 1 && self.splits > 0 =>
                {
                    self.splits -= 1;
                    let (first, second) = names.split_at(names.len() / 2);
                    calls.extend([first, second]);
                }
                Err(error) => refused.push(Refused { names, error }),
            }
        }
        refused
    }

    fn fail(&mut self, paths: impl IntoIterator<Item = String>, error: &Error) {
        let failed = paths.into_iter().map(|path| (path, error.to_string()));
        self.described.failed.extend(failed);
    }

    fn has_any_below(&self, path: &str) -> bool {
        let mut from_path = self.described.found.range(path.to_owned()..);
        from_path
            .next()
            .is_some_and(|(name, _)| name.starts_with(path))
    }
}

/// A name with a path begins with a slash. A name without one may begin with a slash or not, and
/// its ARN is the same.
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

fn parameter(described: &ParameterMetadata) -> Option<(String, ListedParameter)> {
    let parameter = ListedParameter {
        version: described.version(),
        at: timestamp(described.last_modified_date()?)?,
        by: described.last_modified_user().map(str::to_owned),
    };
    Some((path_of(described.name()?), parameter))
}
