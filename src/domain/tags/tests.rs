use jiff::civil::Weekday;

use super::*;

fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags::parse("reloader", pairs.iter().copied())
}

fn invalid(name: &str, value: &str) -> String {
    let tags = tags(&[
        ("reloader:watch", "ssm:/app/"),
        (&format!("reloader:{name}"), value),
    ]);
    tags.invalid.iter().map(ToString::to_string).collect()
}

#[test]
fn the_watch_tag_continues_in_numbered_ones() {
    let tags = tags(&[
        ("reloader:watch", "ssm:/a s3:b/c"),
        ("reloader:watch/2", "secret:prod/db"),
        ("reloader:watch/3", "-ssm:/a/b"),
        ("Name", "api"),
    ]);

    let watch = tags.watch.unwrap();
    assert_eq!(
        (watch.terms.len(), watch.exclusions.len(), watch.auto),
        (3, 1, false)
    );
}

#[test]
fn a_numbered_tag_alone_does_not_opt_in() {
    assert_eq!(tags(&[("reloader:watch/2", "ssm:/a")]).watch, None);
}

#[test]
fn a_term_that_does_not_parse_leaves_the_others_working() {
    let tags = tags(&[("reloader:watch", "ssm:/app/ app/db auto")]);

    let watch = tags.watch.as_ref().unwrap();
    assert_eq!((watch.terms.len(), watch.auto), (1, true));
    assert!(tags.invalid.is_empty());
    assert!(
        tags.unread_terms[0]
            .to_string()
            .starts_with("term 2 of the tag reloader:watch does not parse: expected auto, ssm:")
    );
}

#[test]
fn an_exclusion_that_does_not_parse_refuses_the_service() {
    assert!(
        tags(&[("reloader:watch", "ssm:/app/ -app/db")]).invalid[0]
            .to_string()
            .starts_with("term 2 of the tag reloader:watch")
    );
}

fn every_guard() -> Tags {
    tags(&[
        ("reloader:watch", "auto"),
        ("reloader:strategy", "hot-reload"),
        ("reloader:mode", "notify"),
        ("reloader:pause", "2026-01-31T10:00:00+01:00"),
        ("reloader:order", "99"),
        ("reloader:min-interval", "90s"),
        ("reloader:window", "Mon-Fri 02:00-04:00 Europe/Berlin"),
        ("reloader:endpoint", "POST 8080/-/reload"),
        ("reloader:on-failure", "deploy"),
        ("reloader:codedeploy", "shop/blue-green"),
        ("reloader:allow", "downtime"),
    ])
}

#[test]
fn every_guard_parses() {
    let tags = every_guard();

    assert_eq!(tags.invalid, []);
    assert_eq!(tags.strategy, Some(Strategy::HotReload));
    assert_eq!((tags.mode, tags.order), (Mode::Notify, 99));
    assert_eq!(
        tags.pause,
        Some(Pause::Until("2026-01-31T09:00:00Z".parse().unwrap()))
    );
    assert_eq!(tags.min_interval, Some(SignedDuration::from_secs(90)));
    assert!(tags.deploy_on_failure && tags.allow_downtime);
}

#[test]
fn a_guard_of_several_parts_parses_into_them() {
    let tags = every_guard();

    let endpoint = Endpoint {
        method: "POST".to_owned(),
        port: 8080,
        path: "/-/reload".to_owned(),
    };
    assert_eq!(tags.endpoint, Some(endpoint.into()));
    let target = ("shop".to_owned(), "blue-green".to_owned());
    assert_eq!(tags.code_deploy, Some(target.into()));
    let window = tags.window.unwrap();
    assert_eq!((window.from, window.to), (Weekday::Monday, Weekday::Friday));
    assert_eq!(window.opens.hour(), 2);
}

#[test]
fn a_guard_that_does_not_parse_says_what_was_expected() {
    for (name, value, expected) in [
        (
            "strategy",
            "rolling",
            "deploy, code-deploy, stop-tasks or hot-reload",
        ),
        ("mode", "on", "auto, notify or off"),
        ("pause", "yes", "true or an instant"),
        ("order", "100", "from 0 to 99"),
        ("order", "-1", "from 0 to 99"),
        ("min-interval", "10", "a duration"),
        ("min-interval", "-10m", "a duration"),
        (
            "window",
            "Mon-Fri 02:00-04:00 Europe/Atlantis",
            "a time zone",
        ),
        ("window", "Mon-Fri 2-4 Europe/Berlin", "a time zone"),
        ("endpoint", "POST 0/reload", "a port"),
        ("on-failure", "stop", "expected deploy"),
        ("codedeploy", "shop", "application/deployment-group"),
        ("allow", "all", "expected downtime"),
        ("windwo", "Mon", "one of watch"),
        ("watch/1", "ssm:/a", "one of watch"),
    ] {
        let mistake = invalid(name, value);
        assert!(mistake.contains(expected), "{name}={value}: {mistake}");
    }
}

#[test]
fn the_text_of_a_wrong_tag_is_never_repeated() {
    assert!(!invalid("mode", "hunter2").contains("hunter2"));
}
