//! From an HTTP request to the world and back: the API, the operation, the fault, the answer.

mod api;
mod protocol;
mod route;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use self::api::Api;
use self::route::ApiRequest;
use crate::call::{Call, CallResult};
use crate::error::{ApiError, ApiResult};
use crate::fault::{Effect, SERVER_ERROR};
use crate::world::World;

/// An answer that is not of the API.
const GARBLED: &[u8] = b"<html><body>hunter2</body>";

/// The account's reply to a request.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer {
        response: Response<Bytes>,
        delay: Duration,
    },
    Reset,
    Silence,
}

impl Reply {
    fn at_once(response: Response<Bytes>) -> Self {
        Self::Answer {
            response,
            delay: Duration::ZERO,
        }
    }
}

/// Carries out a request, or the fault that hits it, and records the call.
pub(crate) fn handle(world: &mut World, request: &Request<Bytes>) -> Reply {
    let Some(request) = route::parse(request, &world.shared.config) else {
        // A host that is not an endpoint of this account does not resolve.
        return Reply::Reset;
    };
    let fault = world.faults.strike(
        request.api.iam_prefix(),
        &request.operation,
        &request.target,
        world.shared.clock.now,
    );
    let Some(fault) = fault else {
        let outcome = admit_and_perform(world, &request);
        return Reply::at_once(answer(world, request, outcome));
    };
    strike(world, request, fault)
}

/// Answers a request that is hit by a fault.
fn strike(world: &mut World, request: ApiRequest, fault: Effect) -> Reply {
    let outcome = match fault {
        Effect::FirstEntriesFail(number) => {
            admit(world, &request, |world| request.partly(world, number))
        }
        Effect::Turn(turns) => admit(world, &request, |world| request.turn(world, turns)),
        Effect::Slow(delay) => {
            let outcome = admit_and_perform(world, &request);
            let response = answer(world, request, outcome);
            if let Some(call) = world.calls.last_mut() {
                call.delayed_by = delay;
            }
            return Reply::Answer { response, delay };
        }
        Effect::Denied => Err(denial(world, &request)),
        Effect::Throttled => Err(request.api.throttle()),
        Effect::Error {
            code,
            message,
            status,
        } => Err(ApiError {
            code,
            message,
            status,
        }),
        Effect::LateServerError => {
            let error = ApiError::new(SERVER_ERROR.0, SERVER_ERROR.1).with_status(500);
            let response = request.api.error_response(&error, request.has_body());
            return lose(world, request, Reply::at_once(response));
        }
        Effect::LateReset => return lose(world, request, Reply::Reset),
        Effect::Garbled => {
            let response = Response::new(Bytes::from_static(GARBLED));
            return lose(world, request, Reply::at_once(response));
        }
        Effect::LateSilence => return lose(world, request, Reply::Silence),
        Effect::Reset => {
            record(world, request, CallResult::Reset);
            return Reply::Reset;
        }
        Effect::Hang => {
            record(world, request, CallResult::Hung);
            return Reply::Silence;
        }
    };
    Reply::at_once(answer(world, request, outcome))
}

fn admit_and_perform(world: &mut World, request: &ApiRequest) -> ApiResult<Response<Bytes>> {
    admit(world, request, |world| request.perform(world))
}

/// Performs the call, or throttles it if its bucket is empty.
fn admit(
    world: &mut World,
    request: &ApiRequest,
    perform: impl FnOnce(&mut World) -> ApiResult<Response<Bytes>>,
) -> ApiResult<Response<Bytes>> {
    if world.limiter.admit(
        request.api.iam_prefix(),
        &request.operation,
        world.shared.clock.now,
    ) {
        perform(world)
    } else {
        Err(request.api.throttle())
    }
}

/// Lets the call take effect, and loses its answer.
fn lose(world: &mut World, request: ApiRequest, reply: Reply) -> Reply {
    let result = match admit_and_perform(world, &request) {
        Ok(_) => CallResult::AnswerLost,
        Err(error) => CallResult::Error(error.code),
    };
    record(world, request, result);
    reply
}

fn answer(
    world: &mut World,
    request: ApiRequest,
    outcome: ApiResult<Response<Bytes>>,
) -> Response<Bytes> {
    let (result, mut response) = match outcome {
        Ok(response) => (CallResult::Ok, response),
        Err(error) => (
            CallResult::Error(error.code.clone()),
            request.api.error_response(&error, request.has_body()),
        ),
    };
    protocol::add_request_id(&mut response, request.api, &world.shared.clock.uuid());
    record(world, request, result);
    response
}

fn record(world: &mut World, request: ApiRequest, result: CallResult) {
    let ApiRequest {
        api,
        operation,
        target,
        principal,
        input,
        ..
    } = request;
    let input = api.redacted(input);
    let deployment = (operation == "UpdateService")
        .then(|| world.ecs.started_now(&target, world.shared.clock.now))
        .flatten();
    world.calls.push(Call {
        time: world.shared.clock.now,
        service: api.iam_prefix(),
        operation,
        target,
        principal,
        result,
        input,
        deployment,
        delayed_by: Duration::ZERO,
    });
}

/// IAM's words for an action that no policy allows.
fn denial(world: &World, request: &ApiRequest) -> ApiError {
    let ApiRequest {
        api,
        operation,
        target,
        principal,
        ..
    } = request;
    let user = world.shared.config.user_arn(principal);
    let action = format!("{}:{operation}", api.iam_prefix());
    let resource = api.resource_arn(&world.shared.config, target);
    let message = format!(
        "User: {user} is not authorized to perform: {action} on resource: {resource} because no \
         identity-based policy allows the {action} action"
    );
    match api {
        Api::S3 => ApiError::new("AccessDenied", message).with_status(403),
        Api::Ecs | Api::Tagging | Api::Ssm | Api::Secrets | Api::Sqs | Api::Events => {
            ApiError::new("AccessDeniedException", message)
        }
    }
}
