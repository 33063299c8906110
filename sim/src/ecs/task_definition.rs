//! Task definitions as a test or the demo describes them: containers, and their references.

use serde_json::{Map, Value, json};

/// The description of a task definition, see [`task_definition`].
#[derive(Clone, Debug)]
#[must_use = "a task definition exists once a service refers by it"]
pub struct TaskDefinition {
    containers: Vec<Map<String, Value>>,
    /// The members beside `containerDefinitions`.
    rest: Map<String, Value>,
}

/// Describes a task definition with one container, `app`. A reference belongs to the container that
/// was named last.
///
/// ```
/// let definition = sim::task_definition()
///     .secret("DB_URL", "/app/db-url")
///     .environment_file("arn:aws:s3:::config-bucket/app/prod.env")
///     .container("proxy")
///     .secret(
///         "CERTIFICATE",
///         "arn:aws:secretsmanager:eu-west-1:123456789012:secret:proxy/certificate-a1b2c3:pem::",
///     );
/// ```
pub fn task_definition() -> TaskDefinition {
    TaskDefinition {
        containers: Vec::new(),
        rest: Map::new(),
    }
    .container("app")
}

impl TaskDefinition {
    /// One more container.
    pub fn container(mut self, name: &str) -> Self {
        let container = json!({ "name": name, "image": "app:1", "essential": true });
        self.containers.extend(container.as_object().cloned());
        self
    }

    /// `secrets`: a parameter's name or ARN, or a secret's ARN, perhaps with
    /// `:json-key:version-stage:version-id`.
    pub fn secret(self, name: &str, value_from: &str) -> Self {
        self.append("secrets", json!({ "name": name, "valueFrom": value_from }))
    }

    /// `environmentFiles`: an object's ARN.
    pub fn environment_file(self, arn: &str) -> Self {
        self.append("environmentFiles", json!({ "value": arn, "type": "s3" }))
    }

    /// `credentialSpecs`: `credentialspec:ARN` or `credentialspecdomainless:ARN` of a parameter or
    /// an object.
    pub fn credential_spec(self, location: &str) -> Self {
        self.append("credentialSpecs", json!(location))
    }

    /// `dockerSecurityOptions`: `credentialspec:ARN`, `credentialspecdomainless:ARN`,
    /// `credentialspec:file://FILE` or another option.
    pub fn docker_security_option(self, option: &str) -> Self {
        self.append("dockerSecurityOptions", json!(option))
    }

    /// `environment`: the values of `aws_fluent_bit_init_s3_N` are the ARNs of objects that are
    /// read at the start.
    pub fn environment(self, name: &str, value: &str) -> Self {
        self.append("environment", json!({ "name": name, "value": value }))
    }

    /// `logConfiguration.secretOptions`, one of them: a parameter or a secret.
    pub fn log_secret(self, name: &str, value_from: &str) -> Self {
        let secret = json!([{ "name": name, "valueFrom": value_from }]);
        self.set(
            "logConfiguration",
            json!({ "logDriver": "splunk", "secretOptions": secret }),
        )
    }

    /// `repositoryCredentials`: a secret's ARN.
    pub fn repository_credentials(self, arn: &str) -> Self {
        self.set(
            "repositoryCredentials",
            json!({ "credentialsParameter": arn }),
        )
    }

    /// `firelensConfiguration` with a file in S3: an object's ARN.
    pub fn log_router_file(self, arn: &str) -> Self {
        let options = json!({ "config-file-type": "s3", "config-file-value": arn });
        self.set(
            "firelensConfiguration",
            json!({ "type": "fluentbit", "options": options }),
        )
    }

    /// `volumes`, one of them, on a Windows file server of `FSx`: the ARN of a parameter or a
    /// secret with the credentials.
    pub fn volume_credentials(mut self, arn: &str) -> Self {
        let authorization = json!({ "credentialsParameter": arn, "domain": "example.com" });
        let configuration = json!({
            "fileSystemId": "fs-0123456789abcdef0",
            "rootDirectory": "share",
            "authorizationConfig": authorization,
        });
        let volume =
            json!({ "name": "share", "fsxWindowsFileServerVolumeConfiguration": configuration });
        self.rest.insert("volumes".to_owned(), json!([volume]));
        self
    }

    /// The members of `RegisterTaskDefinition` without the family.
    pub(crate) fn into_content(self) -> Map<String, Value> {
        let Self {
            containers,
            rest: mut content,
        } = self;
        content.insert("containerDefinitions".to_owned(), json!(containers));
        content
    }

    fn append(mut self, list: &str, item: Value) -> Self {
        if let Some(container) = self.containers.last_mut()
            && let Some(list) = container
                .entry(list)
                .or_insert_with(|| json!([]))
                .as_array_mut()
        {
            list.push(item);
        }
        self
    }

    fn set(mut self, member: &str, value: Value) -> Self {
        if let Some(container) = self.containers.last_mut() {
            container.insert(member.to_owned(), value);
        }
        self
    }
}

/// The members of `RegisterTaskDefinition`; none if the value is not an object.
impl From<Value> for TaskDefinition {
    fn from(members: Value) -> Self {
        let Value::Object(mut rest) = members else {
            return Self {
                containers: Vec::new(),
                rest: Map::new(),
            };
        };
        rest.remove("family");
        let containers = match rest.remove("containerDefinitions") {
            Some(Value::Array(containers)) => containers
                .into_iter()
                .filter_map(|container| container.as_object().cloned())
                .collect(),
            Some(_) | None => Vec::new(),
        };
        Self { containers, rest }
    }
}
