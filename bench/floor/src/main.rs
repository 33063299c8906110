//! The usual function in Rust without an SDK: it looks the services up by their tag, and forces a
//! deployment of each. One thread, one connection for each AWS service, no retries: less than a
//! function needs in earnest, so it shows what the rest costs.

mod aws;
mod http;
mod sign;

use std::io;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};

use aws::Aws;
use http::Connection;

/// Nothing here reacts to the kind of an error.
type Failure = Box<dyn std::error::Error>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    body: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct Change {
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    pagination_token: String,
    resource_tag_mapping_list: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "ResourceARN")]
    arn: String,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The loop of Lambda's Runtime API.
fn run() -> Result<(), Failure> {
    let host = aws::variable("AWS_LAMBDA_RUNTIME_API")?;
    let mut runtime = Connection::plain(&host)?;
    let mut aws = Aws::new()?;
    let path = "/2018-06-01/runtime/invocation";
    loop {
        let next = runtime.send(&format!("GET {path}/next HTTP/1.1\r\nhost: {host}\r\n\r\n"))?;
        let id = next.header("lambda-runtime-aws-request-id");
        let id = id.ok_or_else(|| io::Error::other("an event without an id"))?;
        let (end, answer) = match handle(&mut aws, &next.body) {
            Ok(()) => ("response", Value::Null),
            Err(error) => (
                "error",
                json!({ "errorType": "error", "errorMessage": error.to_string() }),
            ),
        };
        let answer = answer.to_string();
        let length = answer.len();
        let head =
            format!("POST {path}/{id}/{end} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}");
        runtime.send(&format!("{head}\r\n\r\n{answer}"))?;
    }
}

fn handle(aws: &mut Aws, payload: &[u8]) -> Result<(), Failure> {
    let event: Event<'_> = serde_json::from_slice(payload)?;
    for record in event.records {
        let change: Change = serde_json::from_str(&record.body)?;
        restart(aws, &format!("ssm:{}", change.detail.name))?;
    }
    Ok(())
}

/// Forces a deployment of every service that watches the term.
fn restart(aws: &mut Aws, term: &str) -> Result<(), Failure> {
    let mut token = String::new();
    loop {
        let look_up = json!({
            "PaginationToken": token,
            "ResourcesPerPage": 100,
            "ResourceTypeFilters": ["ecs:service"],
            "TagFilters": [{ "Key": "reloader:watch", "Values": [term] }],
        });
        let page: Page = serde_json::from_slice(&aws.tagging("GetResources", &look_up)?)?;
        for resource in &page.resource_tag_mapping_list {
            let mut parts = resource.arn.split('/').skip(1);
            let (cluster, service) = (parts.next(), parts.next());
            let update =
                json!({ "cluster": cluster, "service": service, "forceNewDeployment": true });
            aws.ecs("UpdateService", &update)?;
        }
        if page.pagination_token.is_empty() {
            return Ok(());
        }
        token = page.pagination_token;
    }
}
