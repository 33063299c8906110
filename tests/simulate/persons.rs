//! The acts of persons, pipelines, alarms and other callers on the services and on the function.

use std::time::Duration;

use fastrand::Rng;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::Fault;

use crate::history::{Claim, History, QUEUE, THINGS, pick, seconds};
use crate::rolls::Rolls;
use crate::subject::Subject;

/// The ends of a rollout from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    Stop,
    Alarm,
}

impl History {
    /// A pipeline deploys another task definition, or somebody restarts the service.
    pub(crate) async fn deploy(&mut self, rng: &mut Rng) {
        let place = rng.usize(..self.subjects.len());
        let name = self.subjects[place].name.clone();
        if rng.bool() {
            self.account.force(&name);
            self.note(format!("somebody restarts {name}"));
        } else {
            let subject = &mut self.subjects[place];
            let by_mistake = subject.breaker == Some(true) && rng.bool();
            subject.deploys += 1;
            self.account.deploy(
                &name,
                if by_mistake {
                    subject.broken_definition()
                } else {
                    subject.definition()
                },
            );
            self.note(format!(
                "a pipeline deploys {name}, by mistake: {by_mistake}"
            ));
            if by_mistake && rng.bool() {
                self.remember_during_rollback(rng, place).await;
            }
        }
    }

    /// A pipeline writes a key that a service reads, and deploys the service, most often within one
    /// second.
    pub(crate) async fn write_and_deploy(&mut self, rng: &mut Rng) {
        let subject = &self.subjects[rng.usize(..self.subjects.len())];
        let name = subject.name.clone();
        let things: Vec<_> = THINGS
            .into_iter()
            .filter(|thing| subject.watches(thing))
            .collect();
        if !things.is_empty() {
            self.write(pick(rng, &things));
            self.account.run_for(seconds(rng, 0, 1)).await;
        }
        self.account.force(&name);
        self.note(format!("a pipeline restarts {name}"));
    }

    /// While a deployment is rolled back, a person reports a change that is older than it.
    pub(crate) async fn remember_during_rollback(&mut self, rng: &mut Rng, place: usize) {
        let at = self.account.now() - SignedDuration::from_mins(20);
        let subject = &self.subjects[place];
        let things: Vec<_> = THINGS
            .into_iter()
            .filter(|thing| subject.watches(thing) || subject.watches_decoded(thing))
            .collect();
        let is_rolled_back = || {
            let service = self.account.service(&subject.name);
            service.is_some_and(|service| {
                service
                    .history
                    .iter()
                    .any(|past| past.rolled_back_at.is_some() && past.finished_at.is_none())
            })
        };
        for _ in 0..600 {
            if is_rolled_back() {
                let thing = pick(rng, &things);
                let payload = json!({ "reload": { "changed": [thing], "at": at } }).to_string();
                self.claims.push(Claim::of(self.account.now(), at, thing));
                self.note(format!("a person remembers: {payload}"));
                return self.invoke(payload).await;
            }
            self.account.run_for(Duration::from_secs(1)).await;
        }
    }

    /// A person stops a rollout, or an alarm goes off during it.
    pub(crate) async fn end_a_rollout(&mut self, rng: &mut Rng, ending: Ending) {
        let can_end = |subject: &&Subject| ending == Ending::Stop || subject.alarm.is_some();
        let subjects: Vec<_> = self.subjects.iter().filter(can_end).cloned().collect();
        if subjects.is_empty() {
            return;
        }
        let subject = &subjects[rng.usize(..subjects.len())];
        let things: Vec<_> = THINGS
            .into_iter()
            .filter(|thing| subject.watches(thing))
            .collect();
        if let Some(thing) = rng.choice(&things) {
            self.write(thing);
        }
        let longest = pick(rng, &[10, 40, 300]);
        let later = seconds(rng, 0, longest);
        let runs = || {
            let newest = self
                .account
                .service(&subject.name)
                .and_then(|service| service.history.into_iter().next());
            newest.is_some_and(|newest| newest.status == "IN_PROGRESS")
        };
        for _ in 0..60 {
            if runs() {
                self.account.run_for(later).await;
                match ending {
                    Ending::Stop => self.account.stop_deployment(&subject.name),
                    Ending::Alarm => self.account.trigger_alarm(&subject.name),
                }
                return self.note(format!(
                    "the rollout of {} is ended: {ending:?}",
                    subject.name
                ));
            }
            self.account.run_for(Duration::from_secs(5)).await;
        }
    }

    pub(crate) fn scale(&mut self, rng: &mut Rng) {
        let place = rng.usize(..self.subjects.len());
        let subject = &mut self.subjects[place];
        subject.was_scaled = true;
        let (name, desired) = (
            subject.name.clone(),
            pick(
                rng,
                if subject.rolls == Rolls::BelowDesired {
                    &[0, 2, 3, 4]
                } else {
                    &[0, 1, 2, 3, 4]
                },
            ),
        );
        self.account.scale(&name, desired);
        self.note(format!("{name} scales to {desired}"));
    }

    /// An owner pauses a service or ends its pause, or adds the missing watch terms of a service
    /// that watched only a part of its keys.
    pub(crate) fn tag(&mut self, rng: &mut Rng) {
        let place = rng.usize(..self.subjects.len());
        let subject = &mut self.subjects[place];
        let (name, pause) = (subject.name.clone(), rng.bool());
        if subject.late && rng.bool() {
            subject.late = false;
            subject.widened_at = self.account.now();
            self.account
                .tag_service(&name, "reloader:watch", Some(&subject.watch_tag()));
            self.note(format!("{name} watches all that it reads"));
        } else {
            subject.tagged_pauses.push((self.account.now(), pause));
            self.account
                .tag_service(&name, "reloader:pause", pause.then_some("true"));
            self.note(format!("{name} is paused: {pause}"));
        }
    }

    /// A person requests restarts, directly or through the queue, perhaps twice.
    pub(crate) async fn ask(&mut self, rng: &mut Rng) {
        let thing = pick(rng, &THINGS);
        let name = self.subjects[rng.usize(..self.subjects.len())].name.clone();
        let (now, is_direct) = (self.account.now(), rng.bool());
        let claim = Claim::of(now, now, thing);
        let request = match rng.usize(..5) {
            0 => {
                self.dry_runs.push((now, thing));
                json!({ "changed": [thing], "at": now, "dry_run": true })
            }
            1 if self.aside.bool() => self.lower_the_limit(claim),
            1 => {
                self.claims.push(claim);
                json!({ "changed": [thing], "at": now })
            }
            2 => {
                // A message in the queue may not raise a limit.
                self.claims.push(Claim {
                    max_services: is_direct.then_some(50),
                    ..claim
                });
                json!({ "changed": [thing], "at": now, "max_services": 50 })
            }
            _ => {
                self.requests.push((now, name.clone()));
                json!({ "services": [name] })
            }
        };
        self.send(rng, &request, is_direct).await;
    }

    /// The request of this claim under a lower limit. Perhaps no service can be described at first,
    /// so that the limit goes a long way with it.
    fn lower_the_limit(&mut self, claim: Claim) -> Value {
        let most = self.aside.usize(1..3);
        self.claims.push(Claim {
            max_services: Some(most),
            ..claim
        });
        if self.aside.bool() {
            let end = claim.requested_at + SignedDuration::from_mins(3);
            self.inject(Fault::server_error("ecs:DescribeServices", 500).until(end));
        }
        json!({ "changed": [claim.thing], "at": claim.at, "max_services": most })
    }

    /// A person requests the restart of a service that cannot be restarted.
    pub(crate) async fn ask_in_vain(&mut self, rng: &mut Rng) {
        let name = pick(
            rng,
            &[
                "web/nobody",
                "web/plain",
                "web/invalid",
                "web/external",
                "web/inactive",
            ],
        );
        let is_direct = rng.bool();
        self.send(rng, &json!({ "services": [name] }), is_direct)
            .await;
    }

    async fn send(&mut self, rng: &mut Rng, request: &Value, is_direct: bool) {
        let payload = json!({ "reload": request }).to_string();
        self.note(format!("a person asks: {payload}"));
        if is_direct {
            self.invoke(payload).await;
        } else {
            (0..rng.usize(1..3)).for_each(|_| self.account.send(QUEUE, &payload));
        }
    }
}
