//! Amazon Resource Names, as far as this product reads them.

use std::fmt;
use std::sync::Arc;

/// The account and Region of a resource. Objects in S3 have a partition only: bucket names are unique
/// within it, and `account` and `region` stay empty. A copy shares the parts of the original.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountRegion {
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: Arc<str>,
    /// Twelve digits.
    pub account: Arc<str>,
    /// `eu-west-1` …
    pub region: Arc<str>,
}

impl AccountRegion {
    /// The account and Region of a resource. Its partition follows from its Region.
    #[must_use]
    pub fn of_region(account: &str, region: &str) -> Self {
        Self {
            partition: partition_of(region).into(),
            account: account.into(),
            region: region.into(),
        }
    }

    /// The account and Region of a Lambda function, from its ARN, which may end in an alias or a
    /// version. `None` if it is no such ARN.
    #[must_use]
    pub fn of_function(arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn).filter(|arn| arn.service == "lambda")?;
        let name = arn.resource.strip_prefix("function:")?;
        let is_whole = [name, arn.account, arn.region]
            .iter()
            .all(|part| !part.is_empty());
        is_whole.then(|| arn.home())
    }

    /// The same partition without account and Region: the place of buckets.
    #[must_use]
    pub fn partition_only(self) -> Self {
        Self {
            partition: self.partition,
            ..Self::default()
        }
    }
}

/// The partition of a Region, from the Region's prefix.
/// AWS General Reference, "Amazon Resource Names (ARNs)".
#[must_use]
pub fn partition_of(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 6] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eusc-", "aws-eusc"),
    ];
    PREFIXES
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

/// The parts of an ARN. Only its shape is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn` …
    pub partition: &'a str,
    /// `ecs`, `ssm` …
    pub service: &'a str,
    /// Empty for S3.
    pub region: &'a str,
    /// Empty for S3.
    pub account: &'a str,
    /// Everything after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads `arn:partition:service:region:account:resource`. `None` for text of any other shape.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.strip_prefix("arn:")?;
        let mut next = || {
            let colon = rest.bytes().position(|byte| byte == b':')?;
            let (part, after) = rest.split_at_checked(colon)?;
            rest = after.get(1..)?;
            Some(part)
        };
        let arn = Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: rest,
        };
        let is_whole = [arn.partition, arn.service, arn.resource]
            .iter()
            .all(|part| !part.is_empty());
        is_whole.then_some(arn)
    }

    /// The account and Region of the resource.
    #[must_use]
    pub fn home(&self) -> AccountRegion {
        AccountRegion {
            partition: self.partition.into(),
            account: self.account.into(),
            region: self.region.into(),
        }
    }
}

/// An ECS service, shown as `cluster/name`. The function restarts services of its own account and
/// Region only, so that these two names are enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub name: String,
}

impl ServiceId {
    /// Reads a service's ARN in the long format, `arn:aws:ecs:region:account:service/cluster/name`.
    /// The short one (`service/name`) names no cluster, and such services cannot be tagged
    /// ("Amazon Resource Names (ARNs) and IDs", Amazon ECS Developer Guide).
    #[must_use]
    pub fn from_arn(text: &str) -> Option<(Self, AccountRegion)> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "ecs")?;
        Some((
            Self::from_path(arn.resource.strip_prefix("service/")?)?,
            arn.home(),
        ))
    }

    /// True if text is the ARN of a service in the short format, which names no cluster.
    #[must_use]
    pub fn is_short_arn(text: &str) -> bool {
        let service = Arn::parse(text)
            .filter(|arn| arn.service == "ecs")
            .and_then(|arn| arn.resource.strip_prefix("service/"));
        service.is_some_and(|name| !name.contains('/'))
    }

    /// Reads `cluster/name`.
    #[must_use]
    pub fn from_path(text: &str) -> Option<Self> {
        let (cluster, name) = text.split_once('/')?;
        let named = |name: &str| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        };
        (named(cluster) && named(name)).then(|| Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, name } = self;
        write!(f, "{cluster}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_split_at_its_first_five_colons() {
        let arn = Arn::parse("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf")
            .unwrap();

        assert_eq!(
            (arn.service, arn.resource),
            ("secretsmanager", "secret:prod/db-AbCdEf")
        );
    }

    #[test]
    fn text_of_another_shape_is_no_arn() {
        for text in [
            "",
            "arn",
            "arn:aws:s3",
            "arn:aws:s3:::",
            "urn:aws:s3:::bucket",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_function_names_its_account_and_region() {
        for arn in [
            "arn:aws:lambda:eu-west-1:123456789012:function:name",
            "arn:aws:lambda:eu-west-1:123456789012:function:name:alias",
            "arn:aws:lambda:eu-west-1:123456789012:function:name:7",
        ] {
            let expected = AccountRegion::of_region("123456789012", "eu-west-1");
            assert_eq!(AccountRegion::of_function(arn), Some(expected), "{arn}");
        }
        let in_china = "arn:aws-cn:lambda:cn-north-1:123456789012:function:name";
        let home = AccountRegion::of_function(in_china).unwrap();
        assert_eq!(&*home.partition, "aws-cn");
    }

    #[test]
    fn another_arn_is_none_of_a_function() {
        for arn in [
            "",
            "name",
            "arn:aws:lambda:eu-west-1:123456789012:layer:name",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "arn:aws:lambda::123456789012:function:name",
            "arn:aws:lambda:eu-west-1::function:name",
            "arn:aws:ecs:eu-west-1:123456789012:function:name",
        ] {
            assert_eq!(AccountRegion::of_function(arn), None, "{arn}");
        }
    }

    #[test]
    fn a_service_in_the_short_arn_format_has_no_identity() {
        assert_eq!(
            ServiceId::from_arn("arn:aws:ecs:eu-west-1:123456789012:service/api"),
            None
        );
        assert!(ServiceId::is_short_arn(
            "arn:aws:ecs:eu-west-1:123456789012:service/api"
        ));
        assert!(!ServiceId::is_short_arn(
            "arn:aws:ecs:eu-west-1:123456789012:service/web/api"
        ));
        assert!(!ServiceId::is_short_arn(
            "arn:aws:ecs:eu-west-1:123456789012:cluster/web"
        ));
        assert_eq!(
            ServiceId::from_arn("arn:aws:ecs:eu-west-1:123456789012:service/web/api")
                .unwrap()
                .0
                .to_string(),
            "web/api"
        );
    }

    #[test]
    fn a_region_names_its_partition() {
        let partitions =
            ["eu-west-1", "cn-north-1", "us-gov-west-1", "us-isob-east-1"].map(partition_of);

        assert_eq!(partitions, ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"]);
    }
}
