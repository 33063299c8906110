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
    assert!(settings.clusters.is_empty() && settings.without_effect.is_empty());
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
fn a_setting_of_a_later_version_is_named_only_where_it_is_changed() {
    let vars = BTreeMap::from([(QUIET, "10s"), (EVENT_BUS, "default"), (SETTLE, "5s")]);

    assert_eq!(Settings::load(&vars).unwrap().without_effect, [EVENT_BUS]);
}

#[test]
fn every_name_is_read() {
    let spy = Spy::default();

    Settings::load(&spy).unwrap();

    assert_eq!(spy.0.into_inner(), BTreeSet::from(NAMES.map(str::to_owned)));
}
