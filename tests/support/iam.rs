//! Evaluates policies as IAM does, as far as this repository's policies need it; it panics at
//! anything that it does not know. "Policy evaluation logic" and "IAM JSON policy elements:
//! Condition operators", AWS Identity and Access Management User Guide.

use std::collections::BTreeMap;

use serde_json::Value;

/// A call, with everything that decides if it is allowed.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) caller: Caller,
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    /// The condition keys that the call carries, in lower case, each with its values.
    context: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A service that acts for itself.
    Service(&'static str),
    /// A user, a role (by its own ARN, whatever its session is called) or the account's root, with
    /// the policies of its own.
    Principal { arn: String, policies: Vec<Value> },
}

impl Request {
    /// With the keys that IAM itself gives every signed call.
    pub(crate) fn new(caller: Caller, action: &'static str, resource: &str) -> Self {
        let context = match &caller {
            // aws:PrincipalArn is absent.
            Caller::Service(_) => vec![("aws:PrincipalIsAWSService", "true")],
            Caller::Principal { arn, .. } => vec![
                ("aws:PrincipalIsAWSService", "false"),
                ("aws:PrincipalArn", arn),
            ],
        };
        let context = context
            .into_iter()
            .map(|(key, value)| (key.to_lowercase(), vec![value.to_owned()]))
            .collect();
        Self {
            caller,
            action,
            resource: resource.to_owned(),
            context,
        }
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.context
            .entry(key.to_lowercase())
            .or_default()
            .push(value.to_owned());
        self
    }

    /// True if the call is allowed on a resource of this account that has this policy of its own. A
    /// denial in any policy decides. Within an account, one of the two policies must allow; for a
    /// key, its own policy must at least allow the account. A service, and a caller of another
    /// account, needs the permission of the resource's policy.
    pub(crate) fn is_allowed(&self, account: &str, resource_policy: Option<&Value>) -> bool {
        let by_resource = |effect, is_meant: &dyn Fn(&Value) -> bool| {
            resource_policy.is_some_and(|policy| self.is_matched(policy, effect, is_meant))
        };
        let policies = match &self.caller {
            Caller::Service(_) => &[][..],
            Caller::Principal { policies, .. } => policies,
        };
        let by_identity = |effect| {
            policies
                .iter()
                .any(|policy| self.is_matched(policy, effect, &|_| true))
        };
        let is_named = |principal: &Value| self.is_named(principal);
        let is_of_account = |principal: &Value| self.is_of_account(principal);
        if by_resource("Deny", &is_named)
            || by_resource("Deny", &is_of_account)
            || by_identity("Deny")
        {
            return false;
        }
        let (named, handed_on) = (
            by_resource("Allow", &is_named),
            by_resource("Allow", &is_of_account) && by_identity("Allow"),
        );
        match &self.caller {
            Caller::Service(_) => named,
            Caller::Principal { arn, .. } if arn.split(':').nth(4) != Some(account) => {
                (named && by_identity("Allow")) || handed_on
            }
            Caller::Principal { .. } if self.action.starts_with("kms:") => named || handed_on,
            Caller::Principal { .. } => named || by_identity("Allow"),
        }
    }

    fn is_matched(&self, policy: &Value, effect: &str, is_meant: &dyn Fn(&Value) -> bool) -> bool {
        let statements = policy["Statement"].as_array().unwrap().iter();
        statements
            .filter(|statement| statement["Effect"] == effect)
            .any(|statement| {
                list(&statement["Action"])
                    .iter()
                    .any(|action| glob(&action.to_lowercase(), &self.action.to_lowercase()))
                    && list(&statement["Resource"])
                        .iter()
                        .any(|resource| glob(resource, &self.resource))
                    && statement.get("Principal").is_none_or(is_meant)
                    && statement
                        .get("Condition")
                        .is_none_or(|condition| self.meets(condition))
            })
    }

    fn is_named(&self, principal: &Value) -> bool {
        *principal == "*"
            || match &self.caller {
                Caller::Service(name) => list(&principal["Service"])
                    .iter()
                    .any(|service| service == name),
                Caller::Principal { arn, .. } => list(&principal["AWS"])
                    .iter()
                    .any(|named| named == "*" || named == arn),
            }
    }

    /// An account's root stands for all of the account.
    fn is_of_account(&self, principal: &Value) -> bool {
        let Caller::Principal { arn, .. } = &self.caller else {
            return false;
        };
        let root = arn
            .split(':')
            .nth(4)
            .map(|account| format!("arn:aws:iam::{account}:root"));
        list(&principal["AWS"])
            .iter()
            .any(|named| Some(named) == root.as_ref())
    }

    fn meets(&self, conditions: &Value) -> bool {
        let operators = conditions.as_object().unwrap().iter();
        operators
            .flat_map(|(operator, keys)| {
                keys.as_object()
                    .unwrap()
                    .iter()
                    .map(move |key| (operator, key))
            })
            .all(|(operator, (key, expected))| {
                let found = self.context.get(&key.to_lowercase());
                is_met(
                    operator,
                    &list(expected),
                    found.map_or(&[][..], Vec::as_slice),
                )
            })
    }
}

/// True if one key of a condition holds. For an absent key, operators that begin with Not are true,
/// and all others but `Null` are false.
fn is_met(operator: &str, expected: &[String], found: &[String]) -> bool {
    let (of_many, operator) = operator
        .strip_prefix("ForAnyValue:")
        .map_or((false, operator), |operator| (true, operator));
    assert!(of_many || found.len() <= 1, "{operator} of several values");
    let any = |is_like: &dyn Fn(&str, &str) -> bool| {
        found
            .iter()
            .any(|found| expected.iter().any(|expected| is_like(expected, found)))
    };
    match operator {
        "StringEquals" => any(&|expected, found| expected == found),
        "StringLike" => any(&glob),
        "Bool" => any(&|expected, found| expected.eq_ignore_ascii_case(found)),
        // These two mean the same.
        "ArnEquals" | "ArnLike" => any(&arn_is_like),
        "ArnNotEquals" | "ArnNotLike" => !any(&arn_is_like),
        "Null" => expected
            .iter()
            .any(|is_absent| (is_absent == "true") == found.is_empty()),
        other => panic!("{other} is not known here"),
    }
}

/// Compares each of the six parts of an ARN by itself: a star reaches over slashes, never over the
/// first five colons.
fn arn_is_like(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    patterns.len() == 6
        && parts.len() == 6
        && patterns
            .iter()
            .zip(parts)
            .all(|(pattern, part)| glob(pattern, part))
}

/// `*` is any text, `?` one character.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => text
            .char_indices()
            .map(|(place, _)| place)
            .chain([text.len()])
            .any(|place| glob(&pattern[1..], &text[place..])),
        Some(wanted) => {
            let mut rest = text.chars();
            rest.next()
                .is_some_and(|found| wanted == '?' || wanted == found)
                && glob(&pattern[wanted.len_utf8()..], rest.as_str())
        }
    }
}

/// One text, or a list of them.
pub(crate) fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().unwrap().to_owned())
            .collect(),
        other => panic!("{other} is neither a text nor a list"),
    }
}
