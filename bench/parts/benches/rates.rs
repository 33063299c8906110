//! How often in a second the parts run that must keep up with a burst: decode, match and plan, with
//! a hundred and with ten thousand services that have opted in. `make rates` runs them.

#[path = "../src/fleet.rs"]
mod fleet;

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use ecs_reloader::domain::change::coalesce;
use ecs_reloader::domain::key::Key;
use ecs_reloader::domain::plan::plan;
use ecs_reloader::domain::queue::Queue;
use ecs_reloader::event::{Content, Inbox};

use fleet::{EVENT, NOW, QUEUE_URL, change, policy, services, watching};

const SERVICES: [usize; 2] = [100, 10_000];

fn main() {
    divan::main();
}

fn inbox(queue: Option<&Queue>) -> Inbox {
    ecs_reloader::event::decode(black_box(EVENT), NOW, queue)
}

/// The keys that changed.
fn keys(inbox: &Inbox) -> impl Iterator<Item = &Key> {
    let contents = inbox.messages.iter().flat_map(|message| &message.contents);
    contents.filter_map(|content| match content {
        Content::Changed(change) => Some(&change.key),
        _ => None,
    })
}

/// Reads an event in a message of the queue.
#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let queue = Queue::from_url(QUEUE_URL);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench(|| inbox(queue.as_ref()));
}

/// Finds the services that watch the key of an event.
#[divan::bench(args = SERVICES)]
fn find(bencher: Bencher<'_, '_>, number: usize) {
    let (watching, inbox) = (watching(number), inbox(None));
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        let matches = keys(&inbox).flat_map(|key| watching.matches(black_box(key)));
        matches.count()
    });
}

/// Reads the tags of a listing, and makes its index.
#[divan::bench(args = SERVICES)]
fn list(bencher: Bencher<'_, '_>, number: usize) {
    bencher
        .counter(ItemsCount::new(number))
        .bench(|| watching(black_box(number)));
}

/// Plans a change that affects all services.
#[divan::bench(args = SERVICES)]
fn plan_services(bencher: Bencher<'_, '_>, number: usize) {
    let (services, policy, changes) = (services(number), policy(), coalesce([change()]));
    bencher
        .counter(ItemsCount::new(number))
        .bench(|| plan(black_box(&changes), &services, &policy, NOW));
}
