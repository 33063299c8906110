//! The batches of an inbox.

use std::collections::BTreeMap;

use crate::domain::arn::AccountRegion;
use crate::domain::batch::Batch;
use crate::domain::change::Scope;
use crate::domain::request::Request;
use crate::event::{Content, Inbox};

/// True if the services must be listed. Messages of our own name the services that they are for.
pub(super) fn needs_a_listing(inbox: &Inbox) -> bool {
    contents(inbox).any(|content| match content {
        Content::Changed(_) | Content::Sweep(_) => true,
        Content::Request(manual) => manual.names_keys(),
        Content::DeferredWork(work) => {
            let mut scopes = work.changes.iter().map(|change| &change.scope);
            scopes.any(|scope| !matches!(scope, Scope::Only(_)))
        }
        Content::Ignored(_) | Content::Malformed(_) | Content::TooMuch => false,
    })
}

fn contents(inbox: &Inbox) -> impl Iterator<Item = &Content> {
    inbox.messages.iter().flat_map(|message| &message.contents)
}

/// All changes of events form one batch. Each distinct request forms its own, even if several
/// messages carry it, because it has limits of its own. A bare key of a request is one of the
/// account and Region `home`.
pub(super) fn batches(inbox: &Inbox, home: &AccountRegion) -> Vec<Batch> {
    let mut events = Batch::default();
    let mut requested: BTreeMap<&Request, Batch> = BTreeMap::new();
    for (message, content) in inbox
        .messages
        .iter()
        .enumerate()
        .flat_map(|(place, message)| message.contents.iter().map(move |content| (place, content)))
    {
        match content {
            Content::Changed(change) => events.add(message, [&**change]),
            Content::DeferredWork(work) => match &work.request {
                None => events.add_deferred(message, work),
                Some(request) => of(&mut requested, request).add_deferred(message, work),
            },
            Content::Request(manual) => {
                let changes: Vec<_> = manual.changes(home).collect();
                of(&mut requested, &manual.request).add(message, &changes);
            }
            Content::Sweep(_) | Content::Ignored(_) | Content::Malformed(_) | Content::TooMuch => {}
        }
    }
    let batches = std::iter::once(events).chain(requested.into_values());
    let batches = batches.map(|batch| batch.coalesced(inbox.from_queue));
    let mut batches: Vec<_> = batches.filter(|batch| !batch.is_empty()).collect();
    // Events come first, then the requests, the smallest first: so a long list delays nothing else.
    batches.sort_by_cached_key(|batch| (batch.request.is_some(), batch.weight()));
    batches
}

fn of<'a, 'r>(
    requested: &'a mut BTreeMap<&'r Request, Batch>,
    request: &'r Request,
) -> &'a mut Batch {
    requested
        .entry(request)
        .or_insert_with(|| Batch::of(request))
}
