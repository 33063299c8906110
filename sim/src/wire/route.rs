//! Reads the API, the operation and the signer of a request.

use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::Value;

use super::api::Api;
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::page::{Turn, Turns};
use crate::s3::request::S3Request;
use crate::world::World;
use crate::{ecs, put_events, s3, secrets, sqs, ssm, tagging};

/// A request, parsed.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) api: Api,
    pub(crate) operation: String,
    pub(crate) target: String,
    pub(crate) principal: String,
    pub(crate) input: Value,
    s3: Option<S3Request>,
}

impl ApiRequest {
    /// Returns whether an error to this request may have a body.
    pub(super) fn has_body(&self) -> bool {
        self.s3
            .as_ref()
            .is_none_or(|request| request.method != Method::HEAD)
    }

    pub(super) fn perform(&self, world: &mut World) -> ApiResult<Response<Bytes>> {
        match &self.s3 {
            Some(request) => s3::api::perform(&mut world.buckets, &mut world.shared, request),
            None => Ok(self
                .api
                .json_response(&self.output(world, self.input.clone())?)),
        }
    }

    /// One page of a listing that never ends.
    pub(super) fn turn(&self, world: &mut World, turns: Turns) -> ApiResult<Response<Bytes>> {
        if let Some(request) = &self.s3 {
            return s3::api::perform(
                &mut world.buckets,
                &mut world.shared,
                &request.turned(turns),
            );
        }
        let (mut input, name) = (self.input.clone(), self.api.token_name());
        let token = input
            .as_object_mut()
            .and_then(|members| members.remove(name));
        let mut page = self.output(world, input)?;
        Turn::after(token.as_ref().and_then(Value::as_str), turns).change(&mut page, name);
        Ok(self.api.json_response(&page))
    }

    /// A call of which the first entries fail.
    pub(super) fn partly(&self, world: &mut World, failing: usize) -> ApiResult<Response<Bytes>> {
        let entries = self.input.get("Entries").and_then(Value::as_array);
        let number = entries.map_or(0, Vec::len);
        let failing = failing.min(number);
        let output = if failing < number {
            self.output(
                world,
                put_events::without_first(self.input.clone(), failing),
            )?
        } else {
            Value::Null
        };
        let answer = put_events::with_failures(&output, failing);
        Ok(self.api.json_response(&answer))
    }

    fn output(&self, world: &mut World, input: Value) -> ApiResult {
        let shared = &mut world.shared;
        let (operation, principal) = (&*self.operation, &*self.principal);
        match self.api {
            Api::Ecs => ecs::api::perform(&mut world.ecs, shared, operation, input),
            Api::Tagging => {
                tagging::perform(&mut world.tag_index, &mut shared.clock, operation, input)
            }
            Api::Ssm => {
                ssm::api::perform(&mut world.parameters, shared, operation, input, principal)
            }
            Api::Secrets => {
                secrets::api::perform(&mut world.secrets, shared, operation, input, principal)
            }
            Api::Sqs => sqs::api::perform(&mut world.queues, shared, operation, input),
            Api::Events => put_events::perform(&mut world.put_events, shared, operation, input),
            Api::S3 => Err(ApiError::unknown_operation()),
        }
    }
}

/// `None` for a host that is not an endpoint of this account.
pub(super) fn parse(request: &Request<Bytes>, config: &AccountConfig) -> Option<ApiRequest> {
    let host = host_of(request);
    let principal = principal_of(request);
    let (by_host, bucket) = match host.strip_suffix(".amazonaws.com") {
        Some(endpoint) => {
            let (api, bucket) = by_endpoint(endpoint, &config.region)?;
            (Some(api), bucket)
        }
        None => (None, host.strip_suffix(".localhost").map(str::to_owned)),
    };

    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    let by_target =
        target
            .and_then(|target| target.split_once('.'))
            .and_then(|(prefix, operation)| {
                let (_, api) = Api::JSON.iter().find(|(known, _)| *known == prefix)?;
                Some((*api, operation.to_owned()))
            });
    match (by_target, by_host) {
        (Some((api, _)), Some(host_api)) if api != host_api => None,
        (Some((api, operation)), _) => {
            let input = serde_json::from_slice(request.body()).unwrap_or_default();
            let target = api.target_of(&input);
            Some(ApiRequest {
                api,
                operation,
                target,
                principal,
                input,
                s3: None,
            })
        }
        (None, Some(Api::S3) | None) => {
            let s3 = S3Request::parse(request, bucket);
            Some(ApiRequest {
                api: Api::S3,
                operation: s3.operation().to_owned(),
                target: s3.target(),
                principal,
                input: s3.input(),
                s3: Some(s3),
            })
        }
        (None, Some(_)) => None,
    }
}

fn host_of(request: &Request<Bytes>) -> String {
    let authority = request.uri().host().map(str::to_owned);
    let header = || {
        request
            .headers()
            .get(header::HOST)?
            .to_str()
            .ok()
            .map(str::to_owned)
    };
    let host = authority.or_else(header).unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_owned()
}

/// `ecs.eu-west-1`, `s3.eu-west-1`, `bucket.with.dots.s3.eu-west-1`, `s3`.
fn by_endpoint(endpoint: &str, region: &str) -> Option<(Api, Option<String>)> {
    let apis = [
        Api::Ecs,
        Api::Tagging,
        Api::Ssm,
        Api::Secrets,
        Api::Sqs,
        Api::Events,
        Api::S3,
    ];
    let regional = endpoint
        .strip_suffix(region)
        .and_then(|rest| rest.strip_suffix('.'));
    let name = regional.or_else(|| endpoint.ends_with("s3").then_some(endpoint))?;
    if let Some(bucket) = name.strip_suffix(".s3") {
        return Some((Api::S3, Some(bucket.to_owned())));
    }
    apis.into_iter()
        .find(|api| api.endpoint_prefix() == name)
        .map(|api| (api, None))
}

/// The access key id of the signature, version 4, in the header or in the query of a presigned URL.
fn principal_of(request: &Request<Bytes>) -> String {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let credential = header
        .and_then(|value| value.split_once("Credential="))
        .map(|(_, rest)| rest);
    credential
        .and_then(|scope| scope.split('/').next())
        .unwrap_or("anonymous")
        .to_owned()
}
