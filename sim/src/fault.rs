//! Faults that a test or a seed injects into API calls.

use std::time::Duration;

use jiff::Timestamp;

use crate::page::Turns;

/// A fault of the calls that match. Without a limit it never ends.
///
/// ```
/// # use sim::Fault;
/// let denied = Fault::denied("ecs:UpdateService").target("web/api");
/// let twice = Fault::throttled("ecs:`DescribeServices`").times(2);
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    action: String,
    target: Option<String>,
    pub(crate) effect: Effect,
    remaining: Option<u32>,
    until: Option<Timestamp>,
}

/// The code and the text of ECS's own faults.
pub(crate) const SERVER_ERROR: (&str, &str) = (
    "ServerException",
    "Service Unavailable. Please try again later.",
);

/// The words of ECS if a service has five active deployments.
pub(crate) const TOO_MANY_DEPLOYMENTS: &str =
    "5 active deployments exist, unable to create new deployment.";

#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Denied,
    Throttled,
    Error {
        code: String,
        message: String,
        status: u16,
    },
    Reset,
    /// After the call took effect.
    LateServerError,
    /// After the call took effect.
    LateReset,
    /// After the call took effect.
    LateSilence,
    /// After the call took effect.
    Garbled,
    Hang,
    Slow(Duration),
    /// Instead of its next page.
    Turn(Turns),
    /// Of a `PutEvents`.
    FirstEntriesFail(usize),
}

impl Fault {
    fn of(action: &str, effect: Effect) -> Self {
        Self {
            action: action.to_owned(),
            target: None,
            effect,
            remaining: None,
            until: None,
        }
    }

    /// `AccessDeniedException` with AWS's usual text. `action` is `ecs:UpdateService`, `ecs:*` or
    /// `*`.
    #[must_use]
    pub fn denied(action: &str) -> Self {
        Self::of(action, Effect::Denied)
    }

    /// The bus does not take the first entries of a `PutEvents`, and takes the others.
    #[must_use]
    pub fn first_entries_fail(number: usize) -> Self {
        Self::of("events:PutEvents", Effect::FirstEntriesFail(number))
    }

    /// The throttle of the API, also if its buckets have tokens.
    #[must_use]
    pub fn throttled(action: &str) -> Self {
        Self::of(action, Effect::Throttled)
    }

    /// Any other error.
    #[must_use]
    pub fn error(action: &str, code: &str, message: &str, status: u16) -> Self {
        Self::of(
            action,
            Effect::Error {
                code: code.to_owned(),
                message: message.to_owned(),
                status,
            },
        )
    }

    /// An error of the service itself, with status 500 or above.
    #[must_use]
    pub fn server_error(action: &str, status: u16) -> Self {
        Self::error(action, SERVER_ERROR.0, SERVER_ERROR.1, status)
    }

    /// The call takes effect; the answer is a server error with status 500.
    #[must_use]
    pub fn server_error_after_effect(action: &str) -> Self {
        Self::of(action, Effect::LateServerError)
    }

    /// `UpdateService` finds five active deployments, whatever `DescribeServices` shows.
    #[must_use]
    pub fn too_many_deployments() -> Self {
        Self::error(
            "ecs:UpdateService",
            "InvalidParameterException",
            TOO_MANY_DEPLOYMENTS,
            400,
        )
    }

    /// The connection breaks before anything happens.
    #[must_use]
    pub fn reset(action: &str) -> Self {
        Self::of(action, Effect::Reset)
    }

    /// The call takes effect; then the connection breaks.
    #[must_use]
    pub fn reset_after_effect(action: &str) -> Self {
        Self::of(action, Effect::LateReset)
    }

    /// The call takes effect; its answer never arrives.
    #[must_use]
    pub fn silent_after_effect(action: &str) -> Self {
        Self::of(action, Effect::LateSilence)
    }

    /// The call takes effect; the answer has status 200 and is not one of the API, as if from a
    /// proxy on the way.
    #[must_use]
    pub fn garbled(action: &str) -> Self {
        Self::of(action, Effect::Garbled)
    }

    /// The call has no effect and no answer.
    #[must_use]
    pub fn hang(action: &str) -> Self {
        Self::of(action, Effect::Hang)
    }

    /// The call takes effect in time, and its answer comes this much later.
    #[must_use]
    pub fn slow(action: &str, by: Duration) -> Self {
        Self::of(action, Effect::Slow(by))
    }

    /// A listing repeats its page tokens and never ends: an empty page, the first page, an empty
    /// page, the first page, and so on. `GetResources` has been seen to do so.
    #[must_use]
    pub fn tokens_in_a_circle(action: &str) -> Self {
        Self::of(action, Effect::Turn(Turns::InACircle))
    }

    /// A listing returns a new page token with every answer and never ends: an empty page, the
    /// first page, and so on.
    #[must_use]
    pub fn tokens_without_end(action: &str) -> Self {
        Self::of(action, Effect::Turn(Turns::WithoutEnd))
    }

    /// Only calls about this target: `cluster/service`, a parameter, a secret, `bucket/key`, a
    /// queue, a type of resources.
    #[must_use]
    pub fn target(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    /// Only the next `count` calls that match.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.remaining = Some(count);
        self
    }

    /// Only before this instant.
    #[must_use]
    pub fn until(mut self, end: Timestamp) -> Self {
        self.until = Some(end);
        self
    }

    fn matches(&self, service: &str, operation: &str, targets: &str) -> bool {
        let action = match self.action.split_once(':') {
            Some((of, "*")) => of == service,
            Some((of, name)) => of == service && name == operation,
            None => self.action == "*",
        };
        action
            && self
                .target
                .as_deref()
                .is_none_or(|wanted| targets.split(',').any(|target| target == wanted))
    }
}

/// The faults in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of this call, counted as used.
    pub(crate) fn strike(
        &mut self,
        service: &str,
        operation: &str,
        targets: &str,
        now: Timestamp,
    ) -> Option<Effect> {
        self.0
            .retain(|fault| fault.remaining != Some(0) && fault.until.is_none_or(|end| now < end));
        let fault = self
            .0
            .iter_mut()
            .find(|fault| fault.matches(service, operation, targets))?;
        if let Some(remaining) = &mut fault.remaining {
            *remaining -= 1;
        }
        Some(fault.effect.clone())
    }
}
