//! Version 1 of the JSON of a notice: the `detail` of an event of EventBridge. Its schema is
//! `docs/notice.schema.json`.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::notice::{Notice, NoticeKind};
use crate::domain::reason::Reason;
use crate::domain::text::as_code;

/// The version of the JSON; it grows when a field goes or changes its meaning.
pub const VERSION: u32 = 1;

/// The `source` of the events.
pub const SOURCE: &str = "ecs-reloader";

/// The `detail-type` of the events.
pub const DETAIL_TYPE: &str = "ECS Reloader Notice";

/// The services that a text names; it counts the others.
const MOST_NAMED: usize = 10;

/// A notice as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail<'a> {
    /// [`VERSION`].
    pub notice_version: u32,
    /// The id: a receiver can drop a second notice with the same.
    pub id: &'a str,
    /// The kind.
    pub kind: NoticeKind,
    /// The key, as a watch term of the function's account and Region; by ARN if it is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// The version of the change; an object without versions has its entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    /// The version before it: the one to go back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<&'a str>,
    /// The instant of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// The author of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<&'a str>,
    /// The first services, `cluster/name`.
    pub services: &'a [String],
    /// The number of the others.
    pub more_services: u32,
    /// Their deployments.
    pub deployments: &'a [String],
    /// The reason of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Facts about single services.
    pub details: &'a [String],
    /// The end of the wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The command that brings the old value back, for a person to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<&'a str>,
    /// The time at which it was made.
    pub at: Timestamp,
    /// One line for people, in Markdown.
    pub title: String,
    /// One paragraph for people, in Markdown.
    pub description: String,
    /// The next steps for people, in Markdown.
    pub next_steps: Vec<String>,
}

impl<'a> From<&'a Notice> for Detail<'a> {
    fn from(notice: &'a Notice) -> Self {
        let Notice {
            id,
            kind,
            key,
            version,
            previous_version,
            changed_at,
            changed_by,
            services,
            more_services,
            deployments,
            reason,
            details,
            until,
            restore,
            at,
        } = notice;
        Self {
            notice_version: VERSION,
            id,
            kind: *kind,
            key: key.as_deref(),
            version: version.as_deref(),
            previous_version: previous_version.as_deref(),
            changed_at: *changed_at,
            changed_by: changed_by.as_deref(),
            services,
            more_services: *more_services,
            deployments,
            reason: *reason,
            details,
            until: *until,
            restore: restore.as_deref(),
            at: *at,
            title: title(notice),
            description: description(notice),
            next_steps: next_steps(notice),
        }
    }
}

/// `production/api`: restart failed (`ssm:/app/db-url`).
fn title(notice: &Notice) -> String {
    let services = match (notice.services.as_slice(), notice.more_services) {
        ([one], 0) => as_code(one),
        (some, more) => format!("{} services", some.len().saturating_add(more as usize)),
    };
    let became = match notice.kind {
        NoticeKind::Failed => "restart failed",
        NoticeKind::RolledBack => "restart rolled back",
        NoticeKind::TimedOut => "restart makes no progress",
        NoticeKind::Halted => "not restarted, since a service before failed",
        NoticeKind::MissingKey => "next task will not start",
        NoticeKind::Abandoned => "restart given up",
        NoticeKind::Refused => "restart refused",
        NoticeKind::Rejected => "restart stopped by a person or a hook",
        NoticeKind::Unknown => "end of the restart unknown",
        NoticeKind::Stale => "running on an old value",
        NoticeKind::AwaitingApproval => "restart waits for an approval",
        NoticeKind::Held => "restart held",
        NoticeKind::Started => "restart started",
        NoticeKind::Completed => "restart completed",
    };
    match &notice.key {
        Some(key) => format!("{services}: {became} ({})", as_code(key)),
        None => format!("{services}: {became}"),
    }
}

fn description(notice: &Notice) -> String {
    let sentences = [
        change(notice),
        Some(notice.kind.when().to_owned()),
        notice
            .reason
            .map(|reason| format!("{}: {}", as_code(reason.code()), reason.when())),
        notice.until.map(|until| format!("Until {until:.0}.")),
        names(notice),
    ];
    let details = notice.details.iter().map(|detail| as_code(detail));
    let sentences = sentences.into_iter().flatten().chain(details);
    sentences.collect::<Vec<_>>().join(" ")
}

/// The change: its key, versions, time and author.
fn change(notice: &Notice) -> Option<String> {
    let key = as_code(notice.key.as_ref()?);
    let part = |before: &str, text: &Option<String>| {
        let text = text.as_ref().map(|text| as_code(text));
        text.map(|text| format!("{before}{text}"))
            .unwrap_or_default()
    };
    let at = notice.changed_at.map(|at| format!(" at {at:.0}"));
    Some(format!(
        "{key} changed{}{}{}{}.",
        part(" from version ", &notice.previous_version),
        part(" to version ", &notice.version),
        at.unwrap_or_default(),
        part(" by ", &notice.changed_by),
    ))
}

/// The names of several services: the title has only their number.
fn names(notice: &Notice) -> Option<String> {
    let named = notice.services.iter().take(MOST_NAMED);
    let named: Vec<_> = named.map(|service| as_code(service)).collect();
    let number = notice
        .services
        .len()
        .saturating_add(notice.more_services as usize);
    let more = match number.saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (number > 1).then(|| format!("Services: {}{more}.", named.join(", ")))
}

/// The steps of the reason if that decides, and else those of the kind.
fn next_steps(notice: &Notice) -> Vec<String> {
    let by_reason = match notice.kind {
        NoticeKind::Halted | NoticeKind::Refused | NoticeKind::Held => true,
        NoticeKind::Stale => notice.reason != Some(Reason::Notify),
        NoticeKind::Failed
        | NoticeKind::RolledBack
        | NoticeKind::TimedOut
        | NoticeKind::MissingKey
        | NoticeKind::Abandoned
        | NoticeKind::Rejected
        | NoticeKind::Unknown
        | NoticeKind::AwaitingApproval
        | NoticeKind::Started
        | NoticeKind::Completed => false,
    };
    let reason = notice.reason.filter(|_| by_reason);
    let step = reason.map_or(notice.kind.what_to_do(), Reason::what_to_do);
    let restore = notice.restore.as_deref().map(restore_step);
    std::iter::once(sentence(step)).chain(restore).collect()
}

/// The command as it is. In a chat, `<` would begin a link, also within code, and three backticks
/// would end it.
fn restore_step(command: &str) -> String {
    if command.contains(['<', '>']) || command.contains("```") {
        "The command that brings the old value back is in the field `restore` of the notice."
            .to_owned()
    } else {
        format!("Run this to bring the old value back: ```{command}```")
    }
}

/// A step as a sentence.
fn sentence(step: &str) -> String {
    let mut rest = step.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(rest).collect();
    let end = if text.ends_with(['.', '?']) { "" } else { "." };
    format!("{text}{end}")
}
