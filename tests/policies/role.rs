//! The role of the function: the services and keys that it may restart and read.

use crate::cloudformation::{ACCOUNT, EVERYTHING, REGION, Stack};
use crate::iam::Request;
use crate::{Evaluated, OTHER_ACCOUNT};

const OPTED_IN: (&str, &str) = ("aws:ResourceTag/reloader:watch", "auto");

fn service(cluster: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/api")
}

#[test]
fn clusters_bound_what_may_be_restarted_and_which_tasks_are_read() {
    let (two, one, all) = ("production, staging", "production", "");
    for (clusters, cluster, expected) in [
        (two, "production", true),
        (two, "staging", true),
        (two, "production2", false),
        (two, "other", false),
        (one, "production", true),
        (one, "staging", false),
        (all, "other", true),
    ] {
        let stack = Stack::with(&[("Clusters", clusters)]);
        let task = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/0123456789abcdef");
        let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}");
        let of_cluster = [("ecs:cluster", arn.as_str())];
        let allowed = [
            stack.may("ecs:UpdateService", &service(cluster), &[OPTED_IN]),
            stack.may("ecs:DescribeTasks", &task, &[]),
            stack.may("ecs:ListTasks", "*", &of_cluster),
        ];
        assert_eq!(allowed, [expected; 3], "{clusters}: {cluster}");
        assert!(
            !stack.may("ecs:UpdateService", &service(cluster), &[]),
            "{cluster}: it has not opted in"
        );
    }
}

#[test]
fn another_region_has_no_service_that_may_be_restarted() {
    let stack = Stack::with(&[("Clusters", "production, staging")]);
    let other = "us-east-1";
    let service = service("production").replace(REGION, other);

    let request = Request::new(stack.role_of("Role"), "ecs:UpdateService", &service)
        .with("aws:RequestedRegion", other)
        .with(OPTED_IN.0, OPTED_IN.1);

    assert!(!request.is_allowed(ACCOUNT, None));
}

#[test]
fn the_function_reads_the_clusters_of_the_stack() {
    let stack = Stack::with(&[("Clusters", "production, staging")]);

    let function = stack.properties("Reloader");

    let variables = &function["Environment"]["Variables"];
    assert_eq!(variables["RELOADER_CLUSTERS"], "production,staging");
}

#[test]
fn only_configuration_buckets_are_listed() {
    let own = [("aws:ResourceAccount", ACCOUNT)];
    let stack = Stack::with(&EVERYTHING);

    for action in ["s3:ListBucket", "s3:ListBucketVersions"] {
        for (bucket, expected) in [
            ("config", true),
            ("other-config", true),
            ("config-2", false),
            ("payroll", false),
        ] {
            assert_eq!(
                stack.may(action, &format!("arn:aws:s3:::{bucket}"), &own),
                expected,
                "{bucket}"
            );
        }
        assert!(!stack.may(
            action,
            "arn:aws:s3:::config",
            &[("aws:ResourceAccount", OTHER_ACCOUNT)]
        ));
        assert!(
            !Stack::with(&[]).may(action, "arn:aws:s3:::config", &own),
            "no bucket is one"
        );
    }
}

/// "IAM and AWS STS quotas": a role's own policies have 10,240 characters together, white space
/// left out.
#[test]
fn the_roles_policy_has_room_for_thirty_clusters_and_buckets_with_long_names() {
    let names = |prefix: &str, length: usize| {
        (10..40)
            .map(|number| format!("{prefix:-<length$}{number}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let (clusters, buckets) = (names("cluster", 20), names("bucket", 30));
    let given: Vec<_> = EVERYTHING
        .iter()
        .copied()
        .filter(|(name, _)| !["Clusters", "ConfigBuckets"].contains(name))
        .collect();

    let stack = Stack::with(
        &[
            &given[..],
            &[("Clusters", &clusters), ("ConfigBuckets", &buckets)],
        ]
        .concat(),
    );

    let policy = stack.properties("Role")["Policies"][0]["PolicyDocument"].to_string();
    assert!(policy.len() < 10_240, "{}", policy.len());
}
