//! The queue through which the function sends itself work for later.

use super::arn::Arn;

/// An Amazon SQS queue, from its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    account: String,
    name: String,
    /// `None` for the URLs of some servers for tests.
    region: Option<String>,
}

impl Queue {
    /// Reads the URL of a queue: account and name are the last two parts of its path, on AWS
    /// (`https://sqs.eu-west-1.amazonaws.com/123456789012/changes`) as on a server for tests
    /// (`http://127.0.0.1:4566/123456789012/changes`). The Region is in the name of the host, or, in
    /// the URLs of some of those servers, in the path. `None` if there is no such path.
    #[must_use]
    pub fn from_url(url: &str) -> Option<Self> {
        let (host, path) = url.split_once("://")?.1.split_once('/')?;
        let mut parts = path.trim_end_matches('/').rsplit('/');
        let (name, account) = (parts.next()?, parts.next()?);
        let in_path = parts.next().filter(|_| parts.next() == Some("queue"));
        let is_named = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        (is_named(name) && is_named(account)).then(|| Self {
            account: account.to_owned(),
            name: name.to_owned(),
            region: in_path.or_else(|| region_of(host)).map(str::to_owned),
        })
    }

    /// The same queue. If its URL has no Region, it is in that of the function with this ARN.
    #[must_use]
    pub fn of_function(self, function_arn: &str) -> Self {
        let of_function = || Some(Arn::parse(function_arn)?.region.to_owned());
        Self {
            region: self.region.or_else(of_function),
            ..self
        }
    }

    /// True if an ARN names this queue.
    #[must_use]
    pub fn is_named_by(&self, arn: &str) -> bool {
        let Self {
            account,
            name,
            region,
        } = self;
        Arn::parse(arn).is_some_and(|arn| {
            let is_there = region.as_ref().is_none_or(|region| arn.region == region);
            arn.service == "sqs" && arn.account == account && arn.resource == name && is_there
        })
    }
}

/// The Region in the name of a host: `sqs.REGION.…`, `sqs-fips.REGION.…`,
/// `ENDPOINT.sqs.REGION.vpce.…`, and the older `REGION.queue.…`. "Amazon Simple Queue Service
/// endpoints and quotas", AWS General Reference.
fn region_of(host: &str) -> Option<&str> {
    let host = host.split(':').next()?;
    let labels: Vec<_> = host.split('.').collect();
    let after = labels
        .iter()
        .zip(labels.iter().skip(1))
        .find(|(label, _)| matches!(**label, "sqs" | "sqs-fips"))
        .map(|(_, next)| *next);
    let before = labels
        .iter()
        .zip(labels.iter().skip(1))
        .find(|(_, next)| **next == "queue")
        .map(|(label, _)| *label);
    after
        .or(before)
        .filter(|text| text.contains('-') && text.ends_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "arn:aws:sqs:eu-west-1:123456789012:changes";
    const ELSEWHERE: [&str; 6] = [
        "arn:aws:sqs:us-east-1:123456789012:changes",
        "arn:aws:sqs:eu-west-1:210987654321:changes",
        "arn:aws:sqs:eu-west-1:123456789012:changes-dead-letters",
        "arn:aws:sns:eu-west-1:123456789012:changes",
        "changes",
        "",
    ];

    #[test]
    fn a_queue_is_known_by_its_url_in_every_form() {
        for url in [
            "https://sqs.eu-west-1.amazonaws.com/123456789012/changes",
            "https://sqs-fips.eu-west-1.amazonaws.com/123456789012/changes",
            "https://sqs.eu-west-1.api.aws/123456789012/changes",
            "https://eu-west-1.queue.amazonaws.com/123456789012/changes",
            "https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com/123456789012/changes/",
            "http://sqs.eu-west-1.localhost.localstack.cloud:4566/123456789012/changes",
            "http://localhost:4566/queue/eu-west-1/123456789012/changes",
        ] {
            let queue = Queue::from_url(url).unwrap();

            assert!(queue.is_named_by(OWN), "{url}");
            assert_eq!(
                ELSEWHERE.map(|arn| queue.is_named_by(arn)),
                [false; 6],
                "{url}"
            );
        }
    }

    #[test]
    fn a_url_without_a_region_means_that_of_the_function() {
        for url in [
            "http://127.0.0.1:4566/123456789012/changes",
            "http://sqs:9324/123456789012/changes",
        ] {
            let queue = Queue::from_url(url).unwrap();
            let of_function = queue
                .clone()
                .of_function("arn:aws:lambda:eu-west-1:123456789012:function:ecs-reloader");

            assert!(
                queue.is_named_by(OWN) && queue.is_named_by(ELSEWHERE[0]),
                "no Region is known"
            );
            assert!(of_function.is_named_by(OWN));
            assert_eq!(
                ELSEWHERE.map(|arn| of_function.is_named_by(arn)),
                [false; 6],
                "{url}"
            );
        }
    }

    #[test]
    fn a_url_without_account_and_queue_is_none_of_a_queue() {
        for url in [
            "",
            "changes",
            "https://",
            "https://sqs.eu-west-1.amazonaws.com",
            "https://example.com/changes",
            "https://example.com//changes",
        ] {
            assert_eq!(Queue::from_url(url), None, "{url}");
        }
    }
}
