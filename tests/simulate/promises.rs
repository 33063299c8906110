//! What must hold after every history: the promises of the design.

use std::collections::{BTreeMap, BTreeSet};

use ecs_reloader::pace::Limit;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{Call, CallResult, HistoryView};

use crate::excuse::Excuse;
use crate::fought::fought;
use crate::function::FUNCTION;
use crate::history::{History, IGNORED, QUEUE};
use crate::newest::{newest_values, nothing_missed};
use crate::subject::Subject;

/// A restart that the function asked for, and that took effect.
pub(crate) struct Restart {
    pub(crate) at: Timestamp,
    /// In which process.
    pub(crate) by: String,
    /// Somebody else deployed the service after this process had looked at it.
    raced: bool,
    /// The history of the service could not be read, which never blocks a restart.
    unread: bool,
    /// Whether a key is ignored could not be read, or perhaps not: a lost invocation does not
    /// tell.
    wish_unread: bool,
}

/// What was broken, in words, and what is excused.
pub(crate) fn broken(history: &History) -> (Vec<String>, Vec<Excuse>) {
    let lines = history.function.lines("service");
    let (mut broken, mut excuses) = newest_values(history, &lines);
    broken.extend(nothing_missed(history));
    broken.extend(floors(history));
    broken.extend(faster_than_the_pace(history));
    for subject in &history.subjects {
        let restarts = restarts(history, subject, &lines);
        broken.extend(only_what_is_owed(history, subject, &restarts));
        broken.extend(only_when_wanted(subject, &restarts));
        broken.extend(undisturbed(history, subject, &restarts));
        broken.extend(impatient(history, subject, &restarts));
        broken.extend(not_too_many(history, subject, &restarts));
        let (fights, of_them) = fought(history, subject, &restarts);
        broken.extend(fights);
        excuses.extend(of_them);
        broken.extend(each_is_told(history, subject, &restarts, &lines));
    }
    broken.extend(nothing_left(history));
    broken.extend(
        history
            .stormy
            .then(|| "4: a storm of calls that does not end".to_owned()),
    );
    broken.extend(nothing_forgotten(history));
    broken.extend(told_once(history, &lines));
    (broken, excuses)
}

/// When the function restarted a service.
fn restarts(history: &History, subject: &Subject, lines: &[Value]) -> Vec<Restart> {
    // Two services may wait for one look, and for their turns.
    const BELIEVED: i64 = 10;
    let all = history.account.calls();
    let calls: Vec<_> = all.iter().filter(|call| call.took_effect()).collect();
    let is_ours = |call: &&&Call| {
        call.operation == "UpdateService"
            && call.target == subject.name
            && call.principal.starts_with(FUNCTION)
    };
    let says = |text: &Value, part: &str| text.as_str().is_some_and(|text| text.contains(part));
    let unread = told_when(lines, subject, |line| {
        says(&line["detail"], "history could not be read")
    });
    let wish_unread = told_when(lines, subject, |line| {
        line["changes"].as_array().is_some_and(|changes| {
            changes
                .iter()
                .any(|change| says(&change["note"], "wants it ignored"))
        })
    });
    let (ran, past) = (history.function.ran(), past(history, subject));
    let ours: BTreeSet<_> = calls.iter().filter(is_ours).map(|call| call.time).collect();
    let mut restarts: Vec<Restart> = Vec::new();
    for call in calls.iter().filter(is_ours) {
        let is_look = |look: &Call, since: Timestamp| {
            let of_it = look.operation == "DescribeServices"
                && look.target.split(',').any(|target| target == subject.name);
            of_it
                && look.result == CallResult::Ok
                && look.principal == call.principal
                && since < look.time
                && look.time < call.time
        };
        let by_others = past
            .iter()
            .filter(|past| !ours.contains(&past.created_at))
            .map(|past| past.created_at);
        let by_processes = restarts
            .iter()
            .filter(|other| other.by != call.principal)
            .map(|other| other.at);
        let mut lately = by_others
            .chain(by_processes)
            .filter(|made| (0..BELIEVED).contains(&call.time.duration_since(*made).as_secs()));
        let raced =
            lately.any(|made| made <= call.time && !calls.iter().any(|look| is_look(look, made)));
        let lost = ran.iter().any(|ran| ran.was_lost_with(call));
        let is_told = |told: &[Timestamp]| {
            told.iter()
                .any(|told| (0..120).contains(&told.duration_since(call.time).as_secs()))
        };
        restarts.push(Restart {
            at: call.time,
            by: call.principal.clone(),
            raced,
            unread: is_told(&unread) || (lost && has_failed_to_read_history(&all, subject, call)),
            wish_unread: lost || is_told(&wish_unread),
        });
    }
    restarts
}

/// When something was told of a service.
fn told_when(lines: &[Value], subject: &Subject, is_it: impl Fn(&Value) -> bool) -> Vec<Timestamp> {
    lines
        .iter()
        .filter(|line| line["service"] == *subject.name && is_it(line))
        .filter_map(told_at)
        .collect()
}

pub(crate) fn told_at(line: &Value) -> Option<Timestamp> {
    line["timestamp"].as_str()?.parse().ok()
}

/// Whether the history of a service could not be read shortly before a call, which never blocks a
/// restart: a lost invocation tells nothing of it.
fn has_failed_to_read_history(calls: &[Call], subject: &Subject, before: &Call) -> bool {
    let revision = format!("service-revision/{}/", subject.name);
    let is_of_it = |read: &Call| match read.operation.as_str() {
        "ListServiceDeployments" => read.target == subject.name,
        operation => {
            operation == "DescribeServiceRevisions" && read.input.to_string().contains(&revision)
        }
    };
    let is_lately = |read: &Call| {
        read.time <= before.time
            && before.time.duration_since(read.time) < SignedDuration::from_mins(1)
    };
    // No service of a history has more deployments than a page holds: a token is one of a listing
    // that does not end.
    let has_failed =
        |read: &Call| read.result != CallResult::Ok || !read.input["nextToken"].is_null();
    calls.iter().any(|read| {
        has_failed(read) && read.principal == before.principal && is_lately(read) && is_of_it(read)
    })
}

/// 2: no service had too few running tasks.
fn floors(history: &History) -> Vec<String> {
    let services = history
        .account
        .services()
        .into_iter()
        .filter(|service| !service.kept_its_floor());
    services
        .map(|service| {
            format!(
                "2: {} had {} of {} tasks",
                service.name, service.lowest_running, service.floor
            )
        })
        .collect()
}

/// 3 and 4: each restart is owed: something that the service watches was written, and has settled,
/// and no deployment was made since. Those that persons ask for are owed too.
fn only_what_is_owed(history: &History, subject: &Subject, restarts: &[Restart]) -> Vec<String> {
    let requested = requested(history, subject);
    let unowed: Vec<_> = unowed(history, subject, restarts, true);
    let unwanted = if subject.mode.is_some() {
        restarts.first()
    } else {
        None
    };
    let more = if unowed.len() > requested {
        unowed.last().copied()
    } else {
        None
    };
    unwanted
        .into_iter()
        .chain(more)
        .map(|restart| {
            format!(
                "3: {} was restarted at {} for nothing",
                subject.name, restart.at
            )
        })
        .collect()
}

/// How many restarts are owed to nothing but the write of an object whose key, form-URL-decoded, is
/// what a service watches: that AWS tells it as it is is not proved.
pub(crate) fn owed_to_a_decoded_key(history: &History) -> usize {
    let lines = history.function.lines("service");
    let excused = history.subjects.iter().map(|subject| {
        let restarts = restarts(history, subject, &lines);
        let unowed = |decoded| unowed(history, subject, &restarts, decoded).len();
        unowed(false) - unowed(true)
    });
    excused.sum()
}

/// The restarts that no write asked for.
fn unowed<'a>(
    history: &History,
    subject: &Subject,
    restarts: &'a [Restart],
    decoded: bool,
) -> Vec<&'a Restart> {
    let past = past(history, subject);
    let calls = history.account.calls();
    let settle = SignedDuration::try_from(history.settle).unwrap();
    let is_owed = |restart: &&Restart| {
        // What another task definition failed with says nothing.
        let runs = past
            .iter()
            .find(|past| is_made_by(past, restart))
            .map(|past| &past.task_definition);
        let ours = |past: &HistoryView| {
            Some(&past.task_definition) == runs
                && restarts.iter().any(|restart| is_made_by(past, restart))
        };
        let before = past
            .iter()
            .filter(|past| past.created_at < restart.at && !is_made_by(past, restart));
        // Nor what a deployment superseded that failed itself.
        let was_superseded = |end: Timestamp| past.iter().any(|next| next.created_at == end);
        let was_stopped = |past: &HistoryView| {
            past.status == "STOPPED"
                && past
                    .finished_at
                    .is_some_and(|end| end < restart.at && (restart.unread || was_superseded(end)))
        };
        let has_failed = |past: &HistoryView| {
            past.status.starts_with("ROLLBACK") && (restart.unread || !ours(past))
        };
        let covers = |past: &&HistoryView| !has_failed(past) && !was_stopped(past);
        let since = before.filter(covers).map(|past| past.created_at).max();
        let is_reason = |(written, thing): &(Timestamp, &str)| {
            // Whether it is ignored could perhaps not be read.
            let in_doubt =
                restart.wish_unread && *thing == IGNORED && subject.terms.contains(&"ssm:/app/");
            let is_exact = is_dated_exactly(history, &calls, restart, *written, thing);
            let end = if is_exact {
                *written
            } else {
                *written + SignedDuration::from_secs(1)
            };
            (subject.watches(thing) || in_doubt || (decoded && subject.watches_decoded(thing)))
                && *written + settle <= restart.at
                && since.is_none_or(|since| end >= since)
        };
        restart.raced || history.writes.iter().chain(&history.said).any(is_reason)
    };
    restarts
        .iter()
        .filter(|restart| !subject.writes() && !is_owed(restart))
        .collect()
}

/// Whether the process that restarted a service had asked Parameter Store, which tells the truth,
/// long after a parameter was written, and nothing else happened to that in the same second: then
/// the instant itself is known, and not only its second.
fn is_dated_exactly(
    history: &History,
    calls: &[Call],
    restart: &Restart,
    written: Timestamp,
    thing: &str,
) -> bool {
    // The end of its second, two seconds for the replicas, and three for which a look-up may wait
    // for its turn.
    const LONG_AFTER: i64 = 7;
    let Some(name) = thing.strip_prefix("ssm:") else {
        return false;
    };
    let is_same_second = |at: &Timestamp| at.as_second() == written.as_second();
    let others = history
        .writes
        .iter()
        .chain(&history.said)
        .chain(&history.deletions);
    let crowded = others
        .filter(|(at, other)| *other == thing && is_same_second(at))
        .count()
        > 1;
    let prefixes = name.match_indices('/').map(|(at, _)| &name[..=at]);
    let names: Vec<_> = prefixes
        .chain([name])
        .map(|name| format!("\"{name}\""))
        .collect();
    let tells = |call: &&Call| {
        let is_late =
            written.as_second() + LONG_AFTER < call.time.as_second() && call.time < restart.at;
        let is_ok = call.operation == "DescribeParameters"
            && call.result == CallResult::Ok
            && call.principal == restart.by;
        is_late
            && is_ok
            && names
                .iter()
                .any(|name| call.input.to_string().contains(name))
    };
    let failed =
        |call: &Call| call.operation == "DescribeParameters" && call.result != CallResult::Ok;
    // A source that tells a whole second may know no more.
    let is_told = written.subsec_millisecond() != 0;
    is_told
        && !history.metadata_lags
        && !crowded
        && !calls.iter().any(failed)
        && calls.iter().any(|call| tells(&call))
}

/// How many restarts persons asked for; one that a pipeline supersedes in vain is made again.
fn requested(history: &History, subject: &Subject) -> usize {
    history
        .wishes
        .iter()
        .filter(|(_, name)| *name == subject.name)
        .count()
        * (1 + subject.deploys)
}

pub(crate) fn past(history: &History, subject: &Subject) -> Vec<HistoryView> {
    history
        .account
        .service(&subject.name)
        .into_iter()
        .flat_map(|service| service.history)
        .collect()
}

pub(crate) fn is_made_by(past: &HistoryView, restart: &Restart) -> bool {
    past.created_at.duration_since(restart.at).abs() < SignedDuration::from_millis(2)
}

/// No service was restarted while its owner wanted none.
fn only_when_wanted(subject: &Subject, restarts: &[Restart]) -> Vec<String> {
    let wrong = restarts
        .iter()
        .filter(|restart| subject.is_quiet(restart.at));
    wrong
        .map(|restart| {
            format!(
                "4: {} was restarted at {}, against its owner's wish",
                subject.name, restart.at
            )
        })
        .collect()
}

/// No restart of ours ended a rollback, a deployment that shifts traffic, one with lifecycle hooks,
/// or one that bakes.
fn undisturbed(history: &History, subject: &Subject, restarts: &[Restart]) -> Vec<String> {
    // A look is believed for five seconds; its turn and the call take a few more.
    const BELIEVED: SignedDuration = SignedDuration::from_secs(10);
    let past = past(history, subject);
    let is_waited_for = subject.shifts() || !subject.hooks.is_empty();
    let since = |past: &HistoryView| {
        is_waited_for
            .then_some(past.created_at)
            .or(past.baking_since)
            .or(past.rolled_back_at)
    };
    let disturbs = |at: Timestamp, past: &HistoryView| {
        let ends = past.finished_at.unwrap_or(Timestamp::MAX);
        since(past).is_some_and(|since| since + BELIEVED < at && at <= ends)
    };
    let wrong = restarts
        .iter()
        .filter(|restart| past.iter().any(|past| disturbs(restart.at, past)));
    wrong
        .map(|restart| {
            format!(
                "4: {} was restarted at {} in the middle of a deployment that is waited for",
                subject.name, restart.at
            )
        })
        .collect()
}

/// A rolling deployment is superseded only for what was written ten minutes ago.
fn impatient(history: &History, subject: &Subject, restarts: &[Restart]) -> Vec<String> {
    const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
    const BELIEVED: SignedDuration = SignedDuration::from_secs(20);
    if subject.writes() || requested(history, subject) > 0 {
        return Vec::new();
    }
    let past = past(history, subject);
    let written = || {
        history
            .writes
            .iter()
            .chain(&history.said)
            .filter(|(_, thing)| {
                subject.watches(thing) || subject.watches_decoded(thing) || *thing == IGNORED
            })
    };
    let is_early = |restart: &Restart, past: &HistoryView| {
        let runs = past.created_at + BELIEVED < restart.at
            && past.finished_at.is_none_or(|end| restart.at <= end);
        let is_reason = |at: Timestamp| {
            past.created_at <= at + SignedDuration::from_secs(1) && at + PATIENCE <= restart.at
        };
        runs && past.rolled_back_at.is_none() && !written().any(|(at, _)| is_reason(*at))
    };
    let wrong = restarts.iter().filter(|restart| {
        !restart.raced && !restart.unread && past.iter().any(|past| is_early(restart, past))
    });
    wrong
        .map(|restart| {
            format!(
                "4: {} was restarted at {} in the middle of a young deployment",
                subject.name, restart.at
            )
        })
        .collect()
}

/// Restarts are asked for at the pace that is set, by all processes together. Each that asked has
/// its part of the burst: those that the queue feeds, one that it does not, and those that took the
/// place of lost ones. As many as run at once have their part of the rate.
fn faster_than_the_pace(history: &History) -> Option<String> {
    let Limit { burst, rate } = history.pace;
    let (burst, rate) = (
        (burst / history.concurrency).max(1),
        rate / f64::from(history.concurrency),
    );
    let calls =
        history.account.calls().into_iter().filter(|call| {
            call.operation == "UpdateService" && call.principal.starts_with(FUNCTION)
        });
    let asked: Vec<_> = calls
        .map(|call| (call.time, call.principal))
        .take(2000)
        .collect();
    for (place, (first, _)) in asked.iter().enumerate() {
        let mut processes = BTreeSet::new();
        for (number, (last, process)) in (1_u32..).zip(&asked[place..]) {
            processes.insert(process);
            let parts = u32::try_from(processes.len()).unwrap();
            let seconds = last.duration_since(*first).as_secs_f64();
            // A turn is taken within a second of its time, and a call takes up to half of one.
            let steady = f64::from(parts.min(history.concurrency + 1)) * rate * (seconds + 1.5);
            if f64::from(number) > steady + f64::from(parts * burst) {
                return Some(format!(
                    "4: {parts} processes asked for {number} restarts in the {seconds:.1} s from \
                     {first}"
                ));
            }
        }
    }
    None
}

/// 4: no more restarts than the interval and the budget allow, but for those of processes that
/// could not know, and those that persons ask for.
fn not_too_many(history: &History, subject: &Subject, restarts: &[Restart]) -> Vec<String> {
    let past = past(history, subject);
    let requested = requested(history, subject);
    let is_too_soon = |restart: &&Restart| {
        let good = past.iter().filter(|past| {
            past.created_at < restart.at
                && !is_made_by(past, restart)
                && !past.status.starts_with("ROLLBACK")
        });
        let good = good.filter(|past| !restart.unread || past.status != "STOPPED");
        let newest = good.map(|past| past.created_at).max();
        newest.is_some_and(|newest| {
            restart.at.duration_since(newest) + SignedDuration::from_secs(1) < subject.min_interval
        })
    };
    let mut broken = Vec::new();
    let soon: Vec<_> = restarts
        .iter()
        .filter(|restart| !restart.raced)
        .filter(is_too_soon)
        .collect();
    if soon.len() > requested {
        broken.extend(soon.iter().map(|restart| {
            format!(
                "4: {} was restarted at {}, within {:#}",
                subject.name, restart.at, subject.min_interval
            )
        }));
    }
    for (place, first) in restarts.iter().enumerate() {
        let hour = restarts[place..].iter().take_while(|restart| {
            restart.at.duration_since(first.at) < SignedDuration::from_hours(1)
        });
        let within = hour
            .filter(|restart| !restart.raced && !restart.unread)
            .count();
        if within > history.restarts_per_hour + requested {
            broken.push(format!(
                "4: {} was restarted {within} times in the hour from {}",
                subject.name, first.at
            ));
        }
    }
    broken
}

/// 5: every message ended.
fn nothing_left(history: &History) -> Vec<String> {
    let dead = history.account.messages(&format!("{QUEUE}-dead-letters"));
    let left = history.account.messages(QUEUE);
    dead.iter()
        .map(|body| format!("5: a dead letter: {body}"))
        .chain(
            left.iter()
                .map(|body| format!("5: left in the queue: {body}")),
        )
        .collect()
}

/// 5: what was held, or was to go on, did go on, without the help of a sweep. What a sweep itself
/// holds goes on with the next, and has no next look; what could not be read may turn out to
/// concern nobody.
fn nothing_forgotten(history: &History) -> Vec<String> {
    let told = history
        .told_by_then
        .iter()
        .filter(|line| line["request_id"] != "direct" || !line["next_check"].is_null());
    let last: BTreeMap<_, _> = told
        .filter_map(|line| Some((line["service"].as_str()?, line)))
        .collect();
    let waits = |line: &&Value| {
        (line["decision"] == "restart" && line["will_retry"] == true)
            || (line["decision"] == "hold" && line["result"] != "abandoned")
    };
    last.into_values()
        .filter(waits)
        .map(|line| format!("5: forgotten: {} {}", line["service"], line["reason"]))
        .collect()
}

/// 6: each restart is told by the invocation that made it, unless that was lost, or cut off.
fn each_is_told(
    history: &History,
    subject: &Subject,
    restarts: &[Restart],
    lines: &[Value],
) -> Vec<String> {
    let past = past(history, subject);
    let ran = history.function.ran();
    let untold = restarts.iter().filter(|restart| {
        let mut made = past
            .iter()
            .filter(|past| is_made_by(past, restart))
            .map(|past| past.deployment.as_str());
        let Some(ran) = ran.iter().find(|ran| {
            ran.process == restart.by && ran.from <= restart.at && restart.at <= ran.until
        }) else {
            return true;
        };
        let by_then =
            |line: &Value| told_at(line).is_some_and(|at| restart.at <= at && at <= ran.until);
        // Of two that lost their answers, both find the newer deployment; and one may find that it
        // failed meanwhile.
        let is_seen = |line: &Value| is_found(line) || line["reason"] == "failed-already";
        let cut_off = |line: &Value| {
            line["result"] == "out-of-time" || line["result"] == "failed" || is_seen(line)
        };
        let told = |deployment: &str| {
            let mut of_it = lines
                .iter()
                .filter(|line| line["service"] == *subject.name && by_then(line));
            of_it.any(|line| line["deployment"] == *deployment || cut_off(line))
        };
        !ran.crashed && !made.any(told)
    });
    untold
        .map(|restart| {
            format!(
                "6: the restart of {} at {} was told by nobody",
                subject.name, restart.at
            )
        })
        .collect()
}

/// Whether it tells of a deployment that was found by looking, since the answer was lost.
fn is_found(line: &Value) -> bool {
    line["detail"]
        .as_str()
        .is_some_and(|detail| detail.contains("found by looking"))
}

/// 6: each restart is told once, but for those that were found by looking.
fn told_once(history: &History, lines: &[Value]) -> Vec<String> {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    // Of two invocations at once, one of which lost its answer, both may find the same deployment.
    for line in lines
        .iter()
        .filter(|line| line["result"] == "started" && !is_found(line))
    {
        *told
            .entry(line["deployment"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    let twice = told
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|(deployment, _)| format!("6: {deployment} was told twice"));
    let known: BTreeSet<String> = history
        .account
        .services()
        .into_iter()
        .flat_map(|service| service.history)
        .map(|past| past.deployment)
        .collect();
    let unknown = told
        .keys()
        .filter(|deployment| !known.contains(**deployment))
        .map(|deployment| format!("6: {deployment} is told and is none"));
    twice.chain(unknown).collect()
}
