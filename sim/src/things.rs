//! The things that tasks read, named by a watch term, an ARN, or a reference of a task definition.

use crate::config::AccountConfig;
use crate::secrets::selector::Selector;

/// The thing that a reference names.
pub(crate) enum Thing<'a> {
    Parameter(String),
    Object(&'a str),
    Secret(Selector<'a>),
    /// `application/environment/profile`.
    AppConfig(&'a str),
}

impl<'a> Thing<'a> {
    /// Reads `ssm:/app/db`, `s3:bucket/key`, `secret:prod/db`,
    /// `appconfig:application/environment/profile`, or an ARN; `None` for anything else, and for
    /// things of another account or Region.
    pub(crate) fn parse(reference: &'a str, config: &AccountConfig) -> Option<Self> {
        match reference.split_once(':')? {
            ("ssm", name) => Some(Self::parse_parameter(name, name.to_owned())),
            ("s3", path) => Some(Self::Object(path)),
            ("secret", rest) => Some(Self::Secret(Selector::parse(rest, false))),
            ("appconfig", path) => Some(Self::AppConfig(path)),
            ("arn", rest) => Self::parse_arn(rest, config),
            _ => None,
        }
    }

    /// `rest` is the ARN without `arn:`.
    fn parse_arn(rest: &'a str, config: &AccountConfig) -> Option<Self> {
        let mut parts = rest.splitn(5, ':');
        let partition = parts.next()?;
        let service = parts.next()?;
        let (region, account) = (parts.next()?, parts.next()?);
        let resource = parts.next()?;
        let here = region == config.region && account == config.account_id;
        match service {
            _ if partition != "aws" => None,
            "s3" => Some(Self::Object(resource)),
            "ssm" if here => resource
                .strip_prefix("parameter/")
                .map(|name| Self::parse_parameter(name, parameter_name(name))),
            "secretsmanager" if here => resource
                .strip_prefix("secret:")
                .map(|rest| Self::Secret(Selector::parse(rest, true))),
            _ => None,
        }
    }

    /// The parameter `name`, or the secret that Parameter Store hands out by the name `text`.
    fn parse_parameter(text: &'a str, name: String) -> Self {
        let secret = text
            .strip_prefix('/')
            .unwrap_or(text)
            .strip_prefix("aws/reference/secretsmanager/");
        secret.map_or(Self::Parameter(name), |secret| {
            Self::Secret(Selector::of_parameter(secret))
        })
    }
}

/// An ARN leaves out the first slash of a parameter's path; a name without a path has none.
fn parameter_name(in_arn: &str) -> String {
    if in_arn.contains('/') {
        format!("/{in_arn}")
    } else {
        in_arn.to_owned()
    }
}

/// True if a task of this account can find a reference.
pub(crate) fn is_known(reference: &str, config: &AccountConfig) -> bool {
    Thing::parse(reference, config).is_some()
}
