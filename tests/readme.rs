//! The README tells every word that the function says, and every setting that it reads.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;

use ecs_reloader::aws::{QUOTAS, Quota};
use ecs_reloader::domain::reason::{Decision, IgnoredReason, Reason};
use ecs_reloader::domain::start::ResultCode;
use ecs_reloader::event::{Content, decode};
use ecs_reloader::settings::{self, Settings};
use serde::Serialize;

/// Later than every time in a request that is shown.
const NOW: &str = "2026-02-28T12:00:00Z";
const README: &str = include_str!("../README.md");

fn word(said: impl Serialize) -> String {
    serde_json::to_value(said)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn every_reason_stands_in_a_row_with_its_decision() {
    for reason in Reason::ALL {
        let (decision, reason) = (word(reason.decision()), format!("`{reason}`"));

        assert!(
            README
                .lines()
                .any(|line| line.starts_with(&format!("| {decision} |")) && line.contains(&reason)),
            "{decision} {reason}"
        );
    }
    assert_eq!(word(Decision::Restart), "restart");
}

#[test]
fn every_result_and_every_reason_to_ignore_an_event_is_told() {
    use IgnoredReason::{
        CallFailed, Folder, NoRecords, NotSupportedYet, NotValidated, PendingVersion, TestEvent,
        UnknownKind, UnknownSource,
    };
    use ResultCode::{Abandoned, Denied, Failed, OutOfTime, RolloutFailed, Started, Throttled};
    let results = [
        Started,
        Throttled,
        OutOfTime,
        Denied,
        Failed,
        Abandoned,
        RolloutFailed,
    ]
    .map(word);
    let ignored = [
        TestEvent,
        UnknownSource,
        UnknownKind,
        NotValidated,
        PendingVersion,
        CallFailed,
        NoRecords,
        Folder,
        NotSupportedYet,
    ]
    .map(word);

    for said in results.iter().chain(&ignored) {
        assert!(README.contains(&format!("`{said}`")), "{said}");
    }
}

#[test]
fn every_setting_is_told() {
    for name in settings::NAMES {
        assert!(README.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn what_is_taken_of_each_bucket_of_the_account_is_told() {
    for Quota { calls, limit } in QUOTAS {
        let calls: Vec<_> = calls.iter().map(|call| format!("`{call}`")).collect();
        let (row, ours) = (
            format!("| {} |", calls.join(", ")),
            format!("| {}, {} |", limit.burst, limit.rate),
        );

        assert!(
            README
                .lines()
                .any(|line| line.starts_with(&row) && line.ends_with(&ours)),
            "{row} {ours}"
        );
    }
    let settings = Settings::load(&BTreeMap::new()).unwrap();
    let ours = format!("| {}, {} |", settings.restart_burst, settings.restart_rate);
    assert!(
        README
            .lines()
            .any(|line| line.starts_with("| `ecs:UpdateService` |") && line.ends_with(&ours)),
        "{ours}"
    );
}

#[test]
fn every_alarm_is_told() {
    let template = include_str!("../template.yaml");
    let alarms = template
        .lines()
        .filter_map(|line| line.trim().strip_suffix("Alarm:"));

    for alarm in alarms {
        assert!(README.contains(&format!("| `{alarm}Alarm` |")), "{alarm}");
    }
}

#[test]
fn every_request_that_is_shown_is_read_as_one_and_every_event_file_exists() {
    let requests = ["{\"reload\":", "{\"sweep\":"]
        .into_iter()
        .flat_map(|start| README.match_indices(start));
    let mut shown = 0;
    for (place, _) in requests {
        let request = serde_json::Deserializer::from_str(&README[place..])
            .into_iter::<serde_json::Value>()
            .next()
            .unwrap()
            .unwrap();

        let told = decode(&request.to_string(), NOW.parse().unwrap(), None)
            .messages
            .remove(0)
            .contents;

        assert!(
            matches!(told[..], [Content::Request(_) | Content::Sweep(_)]),
            "{request}: {told:?}"
        );
        shown += 1;
    }
    assert!(shown >= 4, "{shown}");
    for (place, _) in README.match_indices("events/") {
        let file: String = README[place..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "/-.".contains(*c))
            .collect();

        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists(),
            "{file}"
        );
    }
}
