//! Troubles: lost invocations, faults of every kind, and combinations of them.

use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sim::Fault;

use crate::function::Life;
use crate::history::{Claim, History, QUEUE, THINGS, pick, seconds};
use crate::holds::Span;

/// Calls that fail. Lost sends and lost reads are most easily forgotten, so these calls fail most
/// often.
const ACTIONS: [&str; 19] = [
    "tag:GetResources",
    "ecs:DescribeServices",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:UpdateService",
    "ecs:UpdateService",
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:DescribeServiceDeployments",
    "sqs:SendMessage",
    "sqs:SendMessage",
    "ssm:DescribeParameters",
    "secretsmanager:ListSecretVersionIds",
    "s3:ListObjectVersions",
    "s3:ListObjectsV2",
    "secretsmanager:ListSecrets",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "*",
];

/// Listings whose page tokens may repeat or never end.
const LISTINGS: [&str; 7] = [
    "tag:GetResources",
    "ecs:ListServiceDeployments",
    "ecs:ListTasks",
    "ssm:DescribeParameters",
    "secretsmanager:ListSecrets",
    "secretsmanager:ListSecretVersionIds",
    "s3:ListObjectsV2",
];

/// The time that the function may need to recover from a fault that has ended.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(2);

impl History {
    pub(crate) fn lose_an_invocation(&mut self, rng: &mut Rng) {
        let life = match rng.usize(..4) {
            0 => Life::For(Duration::from_millis(rng.u64(0..3000))),
            1 => Life::For(seconds(rng, 3, 110)),
            // The time from the call: before its answer, or shortly after it.
            _ => Life::Until(
                pick(
                    rng,
                    &[
                        "UpdateService",
                        "UpdateService",
                        "SendMessage",
                        "SendMessage",
                        "DescribeServices",
                        "ListTasks",
                    ],
                ),
                rng.usize(1..4),
                pick(rng, &[Duration::ZERO, Duration::from_millis(40)]),
            ),
        };
        self.note(format!("the next invocation lives {life:?}"));
        self.function.lose_after(life);
    }

    pub(crate) fn go_wrong(&mut self, rng: &mut Rng) {
        let action = pick(rng, &ACTIONS);
        let fault = match rng.usize(..12) {
            0 => Fault::throttled(action),
            1 => Fault::server_error(action, 500),
            2 => Fault::reset(action),
            3 => Fault::server_error_after_effect(action),
            4 => Fault::reset_after_effect(action),
            5 => Fault::silent_after_effect(action),
            6 => Fault::hang(action),
            7 => Fault::tokens_in_a_circle(pick(rng, &LISTINGS)),
            8 => Fault::tokens_without_end(pick(rng, &LISTINGS)),
            9 => Fault::too_many_deployments(),
            10 if rng.bool() => Fault::denied("ecs:UpdateService"),
            _ => Fault::slow(action, seconds(rng, 0, 9)),
        };
        let one = rng.usize(..self.subjects.len());
        let fault = if action == "ecs:UpdateService" && rng.bool() {
            fault.target(&self.subjects[one].name)
        } else {
            fault
        };
        let fault = if rng.bool() {
            fault.times(rng.u32(1..8))
        } else {
            fault.until(self.account.now() + seconds(rng, 1, 300))
        };
        self.inject(fault);
    }

    pub(crate) fn inject(&mut self, fault: Fault) {
        self.note(format!("{fault:?}"));
        self.account.inject(fault);
    }

    /// Faults that come together.
    pub(crate) async fn combine(&mut self, rng: &mut Rng) {
        match rng.usize(..5) {
            // A message of several keys, of which one send fails.
            0 => {
                let at = self.account.now();
                let things = [THINGS[0], THINGS[1], THINGS[2], THINGS[4]];
                self.inject(Fault::server_error("sqs:SendMessage", 500).times(rng.u32(1..4)));
                self.claims
                    .extend(things.map(|thing| Claim::of(at, at, thing)));
                let request = json!({ "reload": { "changed": things, "at": at } }).to_string();
                self.note(format!("a person asks: {request}"));
                self.account.send(QUEUE, &request);
            }
            // A new process that cannot read a task definition, and a change of a key that only
            // this definition names.
            1 => {
                self.inject(
                    Fault::server_error("ecs:DescribeTaskDefinition", 500).times(rng.u32(1..9)),
                );
                self.function.forget_processes();
                self.write("ssm:/app/b");
            }
            // The history cannot be read while a rollback runs.
            2 => {
                let until = self.account.now() + seconds(rng, 60, 400);
                self.inject(Fault::server_error("ecs:ListServiceDeployments", 500).until(until));
                self.end_a_rollout(rng, crate::persons::Ending::Stop).await;
            }
            // A revision cannot be read after a rollback.
            3 => {
                self.end_a_rollout(rng, crate::persons::Ending::Alarm).await;
                let until = self.account.now() + seconds(rng, 60, 400);
                self.inject(Fault::server_error("ecs:DescribeServiceRevisions", 500).until(until));
                self.write("ssm:/app/a");
            }
            // Every process is new, and a burst is throttled.
            _ => {
                self.function.forget_processes();
                self.inject(Fault::throttled("ecs:UpdateService").times(rng.u32(1..4)));
                self.write("ssm:/app/a");
                self.write("ssm:/app/b");
            }
        }
    }

    /// Other callers take a part of the account's buckets, or no longer.
    pub(crate) fn compete(&mut self, rng: &mut Rng) {
        let taken = pick(rng, &[0.0, 0.5, 0.9]);
        self.account.share_rate_limits(taken);
        self.note(format!("others take {taken} of the rate limits"));
    }

    /// Disables the function's mapping for a while, as a person who stops everything does.
    pub(crate) async fn stop_for_a_while(&mut self, rng: &mut Rng) {
        self.note("the mapping is disabled");
        let from = self.account.now();
        self.account.enable_mapping(QUEUE, false);
        self.account.run_for(seconds(rng, 60, 7200)).await;
        self.write(pick(rng, &THINGS));
        self.account.run_for(seconds(rng, 60, 7200)).await;
        self.account.enable_mapping(QUEUE, true);
        self.note("the mapping is enabled again");
        let until = self.account.now() + AFTERWARDS;
        self.troubles.push(Span::unknown(from, until));
    }
}

impl Claim {
    pub(crate) fn of(requested_at: Timestamp, at: Timestamp, thing: &'static str) -> Self {
        Self {
            requested_at,
            at,
            thing,
            max_services: None,
        }
    }
}
