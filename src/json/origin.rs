//! The names of an event that could not be read, as far as they can be.

use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::received::Origin;

/// Reads the names of an event, a notification or a record, up to the first mistake in `text`.
pub(super) fn of(text: &str) -> Origin {
    let mut names = Names::default();
    // Names before the mistake are kept.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(&mut names);
    let Names {
        id,
        source,
        detail_type,
        is_sns,
    } = names;
    let source = source.or_else(|| is_sns.then(|| "aws:sns".to_owned()));
    Origin::of(id.as_deref(), source.as_deref(), detail_type.as_deref())
}

/// The first of each name.
#[derive(Default)]
struct Names {
    id: Option<String>,
    source: Option<String>,
    detail_type: Option<String>,
    is_sns: bool,
}

impl Names {
    fn take(&mut self, field: &str, value: &RawValue) {
        let text = || serde_json::from_str::<String>(value.get()).ok();
        match field {
            // EventBridge, and an SNS message inside SQS.
            "id" | "MessageId" => self.id = self.id.take().or_else(text),
            // EventBridge, a record of S3, a record of SNS.
            "source" | "eventSource" | "EventSource" => {
                self.source = self.source.take().or_else(text);
            }
            "detail-type" | "eventName" => self.detail_type = self.detail_type.take().or_else(text),
            // A record of S3 has no id of its own, but that of the request.
            "responseElements" => {
                self.id = self.id.take().or_else(|| member(value, "x-amz-request-id"));
            }
            "Sns" => self.id = self.id.take().or_else(|| member(value, "MessageId")),
            "Type" => self.is_sns = text().as_deref() == Some("Notification"),
            _ => {}
        }
    }
}

fn member(object: &RawValue, name: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(object.get()).ok()?;
    Some(object.get(name)?.as_str()?.to_owned())
}

impl<'de> Visitor<'de> for &mut Names {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(field) = fields.next_key::<String>()? {
            let value: &RawValue = fields.next_value()?;
            self.take(&field, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> [Option<String>; 3] {
        let Origin {
            event_id,
            source,
            detail_type,
        } = of(text);
        [event_id, source, detail_type]
    }

    fn some(names: [&str; 3]) -> [Option<String>; 3] {
        names.map(|name| (!name.is_empty()).then(|| name.to_owned()))
    }

    #[test]
    fn names_before_the_mistake_are_read() {
        let cut = concat!(
            r#"{"id": "e1", "source": "aws.ssm", "detail": {"name": "x"}, "#,
            r#""detail-type": "Parameter St"#
        );

        assert_eq!(names(cut), some(["e1", "aws.ssm", ""]));
        assert_eq!(
            names(r#"{"id": 5, "source": ["aws.ssm"], "detail-type": "D"}"#),
            some(["", "", "D"])
        );
        assert_eq!(names("no JSON"), some(["", "", ""]));
    }

    #[test]
    fn records_and_notifications_have_names_too() {
        let record = concat!(
            r#"{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "#,
            r#""responseElements": {"x-amz-request-id": "C3D1"}}"#
        );

        assert_eq!(names(record), some(["C3D1", "aws:s3", "ObjectCreated:Put"]));
        assert_eq!(
            names(r#"{"Type": "Notification", "MessageId": "m1", "Message": "{"}"#),
            some(["m1", "aws:sns", ""])
        );
        assert_eq!(
            names(r#"{"EventSource": "aws:sns", "Sns": {"MessageId": "m1"}}"#),
            some(["m1", "aws:sns", ""])
        );
    }

    #[test]
    fn text_of_others_is_bounded() {
        let long = format!(r#"{{"id": "{}", "source": "a\nb"}}"#, "x".repeat(1000));

        let [id, source, _] = names(&long);

        assert_eq!(
            (id.unwrap().chars().count(), source.as_deref()),
            (256, Some("a\u{fffd}b"))
        );
    }
}
