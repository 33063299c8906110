//! Parts of the function by themselves: `parts PART SERVICES TIMES` does one of them so many times.
//! The difference between two numbers of times, as callgrind counts it, is the cost of the part.
//!
//! * `match`: one event from its text to the services that it affects
//! * `plan`: the plan of a change that affects all services

mod fleet;

use std::hint::black_box;
use std::process::ExitCode;

use ecs_reloader::domain::change::coalesce;
use ecs_reloader::domain::plan::plan;
use ecs_reloader::domain::queue::Queue;
use ecs_reloader::event::{Content, decode};

use fleet::{EVENT, NOW, QUEUE_URL, change, policy, services, watching};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    match (arguments.first().map(String::as_str), numbers.as_slice()) {
        (Some("match"), [services, times]) => match_events(*services, *times),
        (Some("plan"), [services, times]) => plan_services(*services, *times),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn match_events(number: usize, times: usize) {
    let (watching, queue) = (watching(number), Queue::from_url(QUEUE_URL));
    for _ in 0..times {
        let inbox = decode(black_box(EVENT), NOW, queue.as_ref());
        let contents = inbox.messages.iter().flat_map(|message| &message.contents);
        let changes = contents.filter_map(|content| match content {
            Content::Changed(change) => Some(&change.key),
            _ => None,
        });
        let matched = changes.flat_map(|key| watching.matches(key)).count();
        // One service watches the parameter; no other work counts as this one.
        assert_eq!(black_box(matched), 1, "services that the event affects");
    }
}

fn plan_services(number: usize, times: usize) {
    let (services, policy) = (services(number), policy());
    let changes = coalesce([change()]);
    for _ in 0..times {
        let plan = plan(black_box(&changes), &services, &policy, NOW);
        assert_eq!(
            black_box(plan.services.len()),
            number,
            "services that the change affects"
        );
    }
}
