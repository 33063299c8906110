//! What can be due in the simulated account.

use crate::ecs::{Read, TaskId};
use crate::event_bus::Delivery;
use crate::event_source_mapping::MappingId;
use crate::secrets::RotationStep;
use crate::tagging::IndexedTags;

/// One thing that happens at a time of its own.
#[derive(Debug)]
pub(crate) enum Job {
    /// The ECS scheduler looks at a service, `cluster/name`.
    Reconcile(String),
    /// A lifecycle hook of a service, `cluster/name`, answers, or its time is up.
    HookEnds(String, String),
    /// A person acts on a hook of a service, `cluster/name`, and perhaps lets the deployment go on.
    PersonActs(String, String, bool),
    /// A task reads one of the things, or all below one of the prefixes, that it refers to.
    TaskReads(TaskId, Read),
    /// A task has its containers running, or fails to.
    TaskStarts(TaskId),
    /// A task has been running long enough, or has passed its checks.
    TaskHealthy(TaskId),
    /// A task that was told to stop has stopped.
    TaskStops(TaskId),
    /// The tag index learns the tags of a resource.
    IndexTags(String, IndexedTags),
    /// A secret's rotation begins, or comes to its end.
    Rotate(RotationStep),
    /// EventBridge hands an event to a target.
    Deliver(Delivery),
    /// Messages of a queue may have become visible.
    MessagesVisible(String),
    /// A mapping's batching window ends for one of its pollers.
    WindowEnds(MappingId, usize, u64),
}
