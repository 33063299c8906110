//! From an HTTP request to the world and back: which API, which operation, which fault, which
//! answer.

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

/// What no API answers.
const GARBLED: &[u8] = b"<html><body>hunter2</body>";

/// What the account does about a request.
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

/// Lets a request have its effect, or the fault that befalls it, and records the call.
pub(crate) fn handle(world: &mut World, request: &Request<Bytes>) -> Reply {
    let Some(request) = route::parse(request, &world.shared.config) else {
        // A host that is none of this account's endpoints does not resolve.
        return Reply::Reset;
    };
    let fault = world.faults.strike(
        request.api.iam_prefix(),
        &request.operation,
        &request.target,
        world.shared.clock.now,
    );
    match fault {
        None => {
            let outcome = admit_and_perform(world, &request);
            Reply::at_once(answer(world, request, outcome))
        }
        Some(Effect::Turn(turns)) => {
            let outcome = admit(world, &request, |world| request.turn(world, turns));
            Reply::at_once(answer(world, request, outcome))
        }
        Some(Effect::Slow(delay)) => {
            let outcome = admit_and_perform(world, &request);
            Reply::Answer {
                response: answer(world, request, outcome),
                delay,
            }
        }
        Some(Effect::Denied) => {
            let denial = denial(world, &request);
            Reply::at_once(answer(world, request, Err(denial)))
        }
        Some(Effect::Throttled) => {
            let throttle = request.api.throttle();
            Reply::at_once(answer(world, request, Err(throttle)))
        }
        Some(Effect::Error {
            code,
            message,
            status,
        }) => Reply::at_once(answer(
            world,
            request,
            Err(ApiError {
                code,
                message,
                status,
            }),
        )),
        Some(Effect::LateServerError) => {
            let error = ApiError::new(SERVER_ERROR.0, SERVER_ERROR.1).with_status(500);
            let response = request.api.error_response(&error, request.has_body());
            lose(world, request, Reply::at_once(response))
        }
        Some(Effect::LateReset) => lose(world, request, Reply::Reset),
        Some(Effect::Garbled) => lose(
            world,
            request,
            Reply::at_once(Response::new(Bytes::from_static(GARBLED))),
        ),
        Some(Effect::LateSilence) => lose(world, request, Reply::Silence),
        Some(Effect::Reset) => {
            record(world, request, CallResult::Reset);
            Reply::Reset
        }
        Some(Effect::Hang) => {
            record(world, request, CallResult::Hung);
            Reply::Silence
        }
    }
}

fn admit_and_perform(world: &mut World, request: &ApiRequest) -> ApiResult<Response<Bytes>> {
    admit(world, request, |world| request.perform(world))
}

/// Throttled where the bucket is empty.
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

/// The call takes effect where it can, and nobody hears of it.
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
        Api::Ecs | Api::Tagging | Api::Ssm | Api::Secrets | Api::Sqs => {
            ApiError::new("AccessDeniedException", message)
        }
    }
}
