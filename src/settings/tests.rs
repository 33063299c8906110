use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::*;

#[derive(Default)]
struct Spy(RefCell<BTreeSet<String>>);

impl Vars for Spy {
    fn var(&self, name: &str) -> Option<String> {
        self.0.borrow_mut().insert(name.to_owned());
        None
    }
}

#[test]
fn without_variables_the_defaults_hold() {
    let settings = Settings::load(&BTreeMap::new()).unwrap();

    assert!(!settings.notify_only && settings.sweep_repairs);
    assert_eq!(settings.tag_prefix, "reloader");
    assert_eq!((settings.max_services, settings.concurrency), (100, 2));
    let rates = (settings.restart_burst, settings.restart_rate);
    assert_eq!(rates, (40, 4.0));
    assert_eq!(settings.settle, SignedDuration::from_secs(2));
    assert_eq!(settings.min_interval, SignedDuration::from_mins(5));
    assert_eq!(settings.hold_limit, SignedDuration::from_hours(24));
    assert_eq!(settings.queue_url, None);
    assert_eq!((settings.event_bus, settings.self_test), (None, None));
    assert!(settings.clusters.is_empty());
}

#[test]
fn an_empty_variable_is_not_set() {
    assert_eq!(
        Settings::load(&BTreeMap::from([(CLUSTERS, ""), (MODE, " ")])),
        Settings::load(&BTreeMap::new())
    );
}

#[test]
fn every_mistake_is_reported_together() {
    let vars = BTreeMap::from([
        (MODE, "dry"),
        (MAX_SERVICES, "0"),
        (RESTART_RATE, "NaN"),
        (CONCURRENCY, "0"),
        (SWEEP_SINCE, "soon"),
        (CLUSTERS, "a,,b"),
    ]);

    assert_eq!(
        Settings::load(&vars).unwrap_err().to_string(),
        "invalid settings: RELOADER_MODE=\"dry\" is not enforce or notify; \
         RELOADER_CLUSTERS=\"a,,b\" is not cluster names separated by commas; \
         RELOADER_MAX_SERVICES=\"0\" is not a number from 1 on; RELOADER_RESTART_RATE=\"NaN\" \
         is not a rate per second from 0.1 to 1000; RELOADER_CONCURRENCY=\"0\" is not a \
         number from 1 to 1000; RELOADER_SWEEP_SINCE=\"soon\" is not a duration such as 90s, \
         10m or 1h"
    );
}

#[test]
fn an_event_bus_is_named_by_its_name_or_its_arn() {
    let read = |text| {
        let settings = Settings::load(&BTreeMap::from([(EVENT_BUS, text)]));
        settings.map(|settings| settings.event_bus.unwrap())
    };
    for bus in [
        "default",
        "aws.partner/example.com/1",
        "arn:aws:events:eu-west-1:123456789012:event-bus/default",
    ] {
        assert_eq!(read(bus).as_deref(), Ok(bus));
    }
    for other in [
        "no bus",
        "arn:aws:events:eu-west-1:123456789012:event-bus/",
        "arn:aws:events:eu-west-1:123456789012:rule/default",
        "arn:aws:sns:eu-west-1:123456789012:topic",
    ] {
        let error = read(other).unwrap_err().to_string();
        assert!(
            error.contains("the name or the ARN of an event bus"),
            "{other}"
        );
    }
}

#[test]
fn every_name_is_read() {
    let spy = Spy::default();

    Settings::load(&spy).unwrap();

    assert_eq!(spy.0.into_inner(), BTreeSet::from(NAMES.map(str::to_owned)));
}
