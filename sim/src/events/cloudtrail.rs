use serde_json::{Map, Value, json};

use super::envelope::{Envelope, whole_second};

/// The spelling of the member `ARN` of a response of Secrets Manager. CloudTrail has used all three
/// (Secrets Manager User Guide, "Match events with EventBridge").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArnSpelling {
    /// `arn`.
    #[default]
    Lower,
    /// `aRN`.
    Camel,
    /// `ARN`.
    Upper,
}

impl ArnSpelling {
    fn member(self) -> &'static str {
        match self {
            Self::Lower => "arn",
            Self::Camel => "aRN",
            Self::Upper => "ARN",
        }
    }
}

/// A call of the Secrets Manager API, as CloudTrail notes it.
#[derive(Clone, Debug)]
pub struct ApiCall<'a> {
    /// `PutSecretValue`.
    pub operation: &'a str,
    /// The ARN of the caller.
    pub user: &'a str,
    /// The request's members without values, as CloudTrail spells them: `{"secretId": …,
    /// "versionStages": […]}`.
    pub parameters: Value,
    /// The secret's full ARN; `None` if the response does not have it.
    pub arn: Option<&'a str>,
    /// The spelling of the response's ARN.
    pub spelling: ArnSpelling,
    /// The error with which the call ended: failed calls send events as well.
    pub error: Option<&'a str>,
}

/// `AWS API Call via CloudTrail` from Secrets Manager (Secrets Manager User Guide, "AWS CloudTrail
/// entries for Secrets Manager").
#[must_use]
pub fn secret_api_call(envelope: &Envelope<'_>, call: &ApiCall<'_>) -> Value {
    let ApiCall {
        operation,
        user,
        parameters,
        arn,
        spelling,
        error,
    } = call;
    let response = arn.map(|arn| Map::from_iter([(spelling.member().to_owned(), json!(arn))]));
    let name = user.rsplit('/').next().unwrap_or_default();
    let mut detail = common(envelope, operation, "AwsApiCall");
    detail.extend([
        (
            "userIdentity".to_owned(),
            json!({
                "type": "IAMUser",
                "principalId": name,
                "arn": user,
                "accountId": envelope.account,
                "userName": name,
            }),
        ),
        ("sourceIPAddress".to_owned(), json!("192.0.2.1")),
        ("userAgent".to_owned(), json!("aws-cli/2.15.0")),
        ("requestParameters".to_owned(), parameters.clone()),
        ("responseElements".to_owned(), json!(response)),
        ("requestID".to_owned(), json!(envelope.id)),
    ]);
    if let Some(error) = error {
        detail.insert("errorCode".to_owned(), json!(error));
    }
    envelope.wrap(
        "aws.secretsmanager",
        "AWS API Call via CloudTrail",
        &[],
        &Value::Object(detail),
    )
}

/// `AWS Service Event via CloudTrail`: `name` is `RotationStarted`, `RotationSucceeded`,
/// `RotationFailed` and so on. It has no caller, and so no request parameters.
#[must_use]
pub fn secret_rotation(envelope: &Envelope<'_>, name: &str, arn: &str) -> Value {
    let mut detail = common(envelope, name, "AwsServiceEvent");
    detail.extend([
        (
            "userIdentity".to_owned(),
            json!({ "accountId": envelope.account, "invokedBy": "secretsmanager.amazonaws.com" }),
        ),
        (
            "sourceIPAddress".to_owned(),
            json!("secretsmanager.amazonaws.com"),
        ),
        (
            "userAgent".to_owned(),
            json!("secretsmanager.amazonaws.com"),
        ),
        ("requestParameters".to_owned(), Value::Null),
        ("responseElements".to_owned(), Value::Null),
        ("additionalEventData".to_owned(), json!({ "SecretId": arn })),
    ]);
    envelope.wrap(
        "aws.secretsmanager",
        "AWS Service Event via CloudTrail",
        &[],
        &Value::Object(detail),
    )
}

fn common(envelope: &Envelope<'_>, name: &str, kind: &str) -> Map<String, Value> {
    let members = [
        ("eventVersion", json!("1.09")),
        ("eventTime", json!(whole_second(envelope.time))),
        ("eventSource", json!("secretsmanager.amazonaws.com")),
        ("eventName", json!(name)),
        ("awsRegion", json!(envelope.region)),
        ("eventID", json!(envelope.id)),
        ("readOnly", json!(false)),
        ("eventType", json!(kind)),
        ("managementEvent", json!(true)),
        ("recipientAccountId", json!(envelope.account)),
        ("eventCategory", json!("Management")),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
