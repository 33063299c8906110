//! `template.yaml` as CloudFormation reads it: the intrinsic functions are kept, and resolved for a
//! sample stack. "Intrinsic function reference", AWS CloudFormation User Guide.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const STACK: &str = "ecs-reloader";

/// Parameters that switch on everything that is optional.
pub(crate) const EVERYTHING: [(&str, &str); 12] = [
    ("ConfigBuckets", "config, other-config"),
    ("CloudTrail", "true"),
    ("Clusters", "production, staging"),
    ("Tracing", "Active"),
    ("AlarmTopic", "arn:aws:sns:eu-west-1:123456789012:on-call"),
    (
        "Operators",
        "arn:aws:iam::123456789012:role/on-call, \
         arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Operator_*",
    ),
    (
        "EventBus",
        "arn:aws:events:eu-west-1:123456789012:event-bus/notices",
    ),
    ("NoticeEmail", "on-call@example.com"),
    ("SlackWorkspaceId", "T01234ABCDE"),
    ("SlackChannelId", "C01234ABCDE"),
    ("ChatTopic", "true"),
    (
        "KmsKeyArn",
        "arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-example",
    ),
];

/// The text of a file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The template, with `{"Ref": "X"}` for `!Ref X` and `{"Fn::Sub": "X"}` for `!Sub X`.
pub(crate) fn template() -> Value {
    serde_saphyr::from_str::<Node>(&read("template.yaml"))
        .unwrap()
        .0
}

/// A stack of the template, as CloudFormation makes it with these parameters.
pub(crate) struct Stack {
    template: Value,
    parameters: BTreeMap<String, Value>,
}

impl Stack {
    /// Parameters that are not given have their defaults.
    pub(crate) fn with(given: &[(&str, &str)]) -> Self {
        let template = template();
        let declared = template["Parameters"].as_object().unwrap();
        assert!(
            given.iter().all(|(name, _)| declared.contains_key(*name)),
            "no such parameter: {given:?}"
        );
        let value = |(name, parameter): (&String, &Value)| {
            let given = given
                .iter()
                .find(|(given, _)| given == name)
                .map(|(_, value)| json!(value));
            let value = given.unwrap_or_else(|| parameter["Default"].clone());
            let value = match parameter["Type"].as_str() {
                Some("CommaDelimitedList") => {
                    value.as_str().unwrap().split(',').map(str::trim).collect()
                }
                _ => value,
            };
            (name.clone(), value)
        };
        let parameters = declared.iter().map(value).collect();
        Self {
            template,
            parameters,
        }
    }

    /// The logical ids of the resources of a type that the stack has.
    pub(crate) fn resources_of(&self, kind: &str) -> Vec<&str> {
        let resources = self.template["Resources"].as_object().unwrap().iter();
        let exists = |resource: &Value| {
            resource["Condition"]
                .as_str()
                .is_none_or(|condition| self.holds(condition))
        };
        resources
            .filter(|(_, resource)| resource["Type"] == kind && exists(resource))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The properties of a resource, its functions resolved.
    pub(crate) fn properties(&self, logical_id: &str) -> Value {
        self.resolve(&self.template["Resources"][logical_id]["Properties"])
            .unwrap()
    }

    /// The value of an output.
    pub(crate) fn output(&self, name: &str) -> Value {
        self.resolve(&self.template["Outputs"][name]["Value"])
            .unwrap()
    }

    pub(crate) fn arn(&self, logical_id: &str) -> String {
        self.attribute(logical_id, "Arn")
    }

    /// Nothing for `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => {
                Some(items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            Value::Object(map) => match map.iter().next() {
                Some((function, argument))
                    if map.len() == 1 && (function == "Ref" || function.starts_with("Fn::")) =>
                {
                    self.call(function, argument)
                }
                _ => Some(
                    map.iter()
                        .filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?)))
                        .collect::<Map<_, _>>()
                        .into(),
                ),
            },
            value => Some(value.clone()),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        let resolved = |place: usize| self.resolve(&argument[place]).unwrap();
        Some(match function {
            "Ref" => return self.reference(argument.as_str().unwrap()),
            "Fn::GetAtt" => {
                let (logical_id, attribute) = argument.as_str().unwrap().split_once('.').unwrap();
                self.attribute(logical_id, attribute).into()
            }
            "Fn::Sub" => match argument {
                Value::Array(parts) => self
                    .substitute(parts[0].as_str().unwrap(), &resolved(1))
                    .into(),
                pattern => self
                    .substitute(pattern.as_str().unwrap(), &Value::Null)
                    .into(),
            },
            "Fn::Join" => {
                let parts: Vec<_> = resolved(1).as_array().unwrap().iter().map(text).collect();
                parts.join(argument[0].as_str().unwrap()).into()
            }
            "Fn::Split" => text(&resolved(1))
                .split(argument[0].as_str().unwrap())
                .collect(),
            "Fn::If" => {
                return self.resolve(
                    &argument[if self.holds(argument[0].as_str().unwrap()) {
                        1
                    } else {
                        2
                    }],
                );
            }
            other => panic!("{other} is not known here"),
        })
    }

    fn reference(&self, name: &str) -> Option<Value> {
        Some(match name {
            "AWS::NoValue" => return None,
            "AWS::AccountId" => ACCOUNT.into(),
            "AWS::Partition" => "aws".into(),
            "AWS::Region" => REGION.into(),
            "AWS::StackName" => STACK.into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            name if self.parameters.contains_key(name) => self.parameters[name].clone(),
            // The transform of AWS SAM makes it.
            "ReloaderChanges" => "f89b6c9e-example".into(),
            name => match self.kind(name) {
                "AWS::SQS::Queue" => format!(
                    "https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}",
                    physical_name(name)
                )
                .into(),
                "AWS::Logs::LogGroup" => self.properties(name)["LogGroupName"].clone(),
                "AWS::Events::Rule" | "AWS::SSM::Parameter" => {
                    self.properties(name)["Name"].clone()
                }
                "AWS::SNS::Topic" => {
                    let name = physical_name(name);
                    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}").into()
                }
                "AWS::CloudWatch::Dashboard" => self.properties(name)["DashboardName"].clone(),
                _ => physical_name(name).into(),
            },
        })
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> String {
        let name = physical_name(logical_id);
        match (self.kind(logical_id), attribute) {
            ("AWS::SQS::Queue", "QueueName") => name,
            ("AWS::SQS::Queue", "Arn") => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            ("AWS::CloudWatch::Alarm", "Arn") => {
                format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
            }
            ("AWS::Serverless::Function", "Arn") => {
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
            }
            ("AWS::Events::Rule", "Arn") => {
                format!(
                    "arn:aws:events:{REGION}:{ACCOUNT}:rule/{}",
                    text(&self.reference(logical_id).unwrap())
                )
            }
            ("AWS::Logs::LogGroup", "Arn") => {
                format!(
                    "arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{}:*",
                    text(&self.reference(logical_id).unwrap())
                )
            }
            (kind, attribute) => panic!("{attribute} of {kind} is not known here"),
        }
    }

    fn kind(&self, logical_id: &str) -> &str {
        self.template["Resources"][logical_id]["Type"]
            .as_str()
            .unwrap_or_else(|| panic!("there is no {logical_id}"))
    }

    /// A name is one of these variables, or a parameter or a resource of the stack.
    fn substitute(&self, pattern: &str, variables: &Value) -> String {
        let mut parts = pattern.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            filled += &match (variables.get(name), name.split_once('.')) {
                (Some(value), _) => text(value),
                (None, Some((logical_id, attribute))) => self.attribute(logical_id, attribute),
                (None, None) => text(&self.reference(name).unwrap()),
            };
            filled += rest;
        }
        filled
    }

    fn holds(&self, condition: &str) -> bool {
        self.is_true(&self.template["Conditions"][condition])
    }

    fn is_true(&self, condition: &Value) -> bool {
        let (function, argument) = condition.as_object().unwrap().iter().next().unwrap();
        match function.as_str() {
            "Condition" => self.holds(argument.as_str().unwrap()),
            "Fn::Not" => !self.is_true(&argument[0]),
            "Fn::Or" => argument
                .as_array()
                .unwrap()
                .iter()
                .any(|one| self.is_true(one)),
            "Fn::And" => argument
                .as_array()
                .unwrap()
                .iter()
                .all(|one| self.is_true(one)),
            "Fn::Equals" => self.resolve(&argument[0]) == self.resolve(&argument[1]),
            other => panic!("{other} is not known here"),
        }
    }
}

/// A name such as CloudFormation makes up for a resource that has none.
fn physical_name(logical_id: &str) -> String {
    format!("{STACK}-{logical_id}-1A2B3C4D5E6F")
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A YAML node whose tag has become the long form of its function.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::deserialize(deserializer)?;
        Ok(Self(
            match tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
                Some(function @ ("Ref" | "Condition")) => json!({ function: value }),
                Some(function) => json!({ format!("Fn::{function}"): value }),
                None => value,
            },
        ))
    }
}

/// The contents of a node.
struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode).map(Self)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML node")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Node(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Node(value))) = entries.next_entry::<String, Node>()? {
            map.insert(key, value);
        }
        Ok(map.into())
    }
}
