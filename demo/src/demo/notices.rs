//! The notices that the function put on its event bus, for people.

use std::fmt;

use serde::Deserialize;
use sim::{Account, PutEvent};

/// The kinds that need a person after a bad value.
const SHOWN: [&str; 2] = ["rolled-back", "halted"];

/// A notice, as `docs/notices.md` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Notice {
    pub(super) kind: String,
    key: Option<String>,
    version: Option<String>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    details: Vec<String>,
    restore: Option<String>,
}

/// The notices of the kinds that need a person.
pub(super) fn of(account: &Account, bus: &str) -> impl Iterator<Item = Notice> {
    let events = account.put_events().into_iter();
    events
        .filter(move |event: &PutEvent| event.bus == bus)
        .filter_map(|event| serde_json::from_value::<Notice>(event.detail).ok())
        .filter(|notice| SHOWN.contains(&notice.kind.as_str()))
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().unwrap_or("a request");
        let version = self.version.as_ref();
        let version = version.map(|version| format!(", version {version}"));
        write!(
            f,
            "  notice {}: {key}{}, {}",
            self.kind,
            version.unwrap_or_default(),
            self.services.join(", ")
        )?;
        if let Some(detail) = self.details.first() {
            write!(f, "\n    {detail}")?;
        }
        match &self.restore {
            Some(command) => write!(f, "\n    to bring the old value back: {command}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_notice_has_the_command_that_brings_the_old_value_back() {
        let notice: Notice = serde_json::from_value(json!({
            "kind": "rolled-back", "key": "ssm:/a", "version": "2", "services": ["web/api"],
            "details": ["web/api: its tasks failed"], "restore": "aws ssm put-parameter",
        }))
        .unwrap();

        let expected = "  notice rolled-back: ssm:/a, version 2, web/api\n    \
                        web/api: its tasks failed\n    \
                        to bring the old value back: aws ssm put-parameter";
        assert_eq!(notice.to_string(), expected);
    }
}
