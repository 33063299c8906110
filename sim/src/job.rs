//! The jobs of the simulated account's agenda, and the plain data in them.

use crate::tags::Tags;

/// Something that happens at a time of its own.
#[derive(Debug)]
pub(crate) enum Job {
    /// The ECS scheduler works on a service, `cluster/name`.
    Reconcile(String),
    /// A lifecycle hook of a service, `cluster/name`, answers, or its time is up.
    HookEnds { service: String, hook: String },
    /// A person acts on a hook of a service, `cluster/name`: the deployment continues, or is rolled
    /// back.
    PersonActs {
        service: String,
        hook: String,
        continues: bool,
    },
    /// A task reads one of its references, which may be a prefix.
    TaskReads(TaskId, Read),
    /// The containers of a task start, or fail to.
    TaskStarts(TaskId),
    /// A task has been running long enough, or has passed its checks.
    TaskHealthy(TaskId),
    /// A task that was ordered to stop has stopped.
    TaskStops(TaskId),
    /// The tag index receives the tags of the resource with this ARN.
    IndexTags(String, Tags),
    /// A secret's rotation begins, or comes to its end.
    Rotate(RotationStep),
    /// EventBridge hands an event to a target.
    Deliver(Delivery),
    /// Messages of a queue may have become visible.
    MessagesVisible(String),
    /// The batching window ends for one poller of an event source mapping.
    WindowEnds(Window),
}

/// A task and the service, `cluster/name`, that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct TaskId {
    pub(crate) service: String,
    pub(crate) task: String,
}

/// A reference of a task, in any of the forms of [`crate::things`].
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) pattern: String,
    /// Without it the task does not start.
    pub(crate) required: bool,
}

/// The next step of a secret's rotation.
#[derive(Debug)]
pub(crate) struct RotationStep {
    pub(crate) arn: String,
    /// The version that the rotation makes.
    pub(crate) version: String,
    pub(crate) finishes: bool,
}

/// A message on its way to a queue.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) queue: String,
    pub(crate) body: String,
}

/// The batching window of one poller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The position of the mapping in the account.
    pub(crate) mapping: usize,
    /// The position of the poller in the mapping.
    pub(crate) poller: usize,
    /// The number of the batch that the poller gathers; an earlier one has ended before.
    pub(crate) batch: u64,
}
