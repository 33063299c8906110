//! The services and the change.

use std::collections::{BTreeMap, BTreeSet};

use ecs_reloader::domain::arn::{AccountRegion, ServiceId};
use ecs_reloader::domain::change::{Change, ChangeKind};
use ecs_reloader::domain::deployment::{Deployment, RolloutState};
use ecs_reloader::domain::key::Key;
use ecs_reloader::domain::listed::Listed;
use ecs_reloader::domain::policy::Policy;
use ecs_reloader::domain::service::{Service, ServiceStatus};
use ecs_reloader::domain::tags::Tags;
use ecs_reloader::domain::watching::Watching;
use jiff::{SignedDuration, Timestamp};

/// The wall clock: ten seconds after the event.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_769_853_610, 0);

/// A parameter of its own for each service: the event names the one of the first.
pub(crate) const EVENT: &str = include_str!("event.json");

/// The function's own queue.
pub(crate) const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

fn id(place: usize) -> ServiceId {
    ServiceId {
        cluster: "production".to_owned(),
        name: format!("service-{place:05}"),
    }
}

fn tags(place: usize) -> Tags {
    let terms = format!("ssm:/app/service-{place:05}/db-url s3:config-bucket/service-{place:05}/");
    Tags::parse("reloader", [("reloader:watch", terms.as_str())])
}

/// The services of the tag index.
pub(crate) fn watching(number: usize) -> Watching {
    let listed = |place| Listed {
        id: id(place),
        home: home(),
        tags: tags(place),
    };
    (0..number).map(listed).collect()
}

/// Services that all watch what [`change`] names, deployed the day before.
pub(crate) fn services(number: usize) -> Vec<Service> {
    let task_definition = "arn:aws:ecs:eu-west-1:123456789012:task-definition/api:1";
    let deployment = |place| Deployment {
        id: format!("ecs-svc/{place:019}"),
        primary: true,
        created_at: NOW - SignedDuration::from_hours(24),
        task_definition: task_definition.to_owned(),
        state: RolloutState::Completed,
        running: 2,
        is_whole: true,
    };
    let tags = Tags::parse("reloader", [("reloader:watch", "ssm:/app/")]);
    let service = |place| Service {
        status: ServiceStatus::Active,
        created_at: Some(NOW - SignedDuration::from_hours(48)),
        desired: 2,
        deployments: vec![deployment(place)],
        task_definition: Some(task_definition.to_owned()),
        ..Service::gone(id(place), home(), tags.clone())
    };
    (0..number).map(service).collect()
}

/// A parameter that changed.
pub(crate) fn change() -> Change {
    let key = Key::parameter(home(), "/app/db-url");
    let at = NOW - SignedDuration::from_secs(10);
    Change::new(key, at, ChangeKind::Written, "event")
}

/// The function's limits, none of which is reached.
pub(crate) fn policy() -> Policy {
    Policy {
        notify_only: false,
        dry_run: false,
        max_services: usize::MAX,
        ignored_max_services: None,
        settle: SignedDuration::from_secs(2),
        max_settle_wait: SignedDuration::from_secs(10),
        min_interval: SignedDuration::from_mins(5),
        restarts_per_hour: 6,
        max_in_flight: usize::MAX,
        quiet: SignedDuration::from_mins(1),
        canary: false,
        outcome_deadline: SignedDuration::from_mins(30),
        unread: BTreeMap::new(),
        named: BTreeSet::new(),
        requested_at: NOW,
    }
}
