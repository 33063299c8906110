//! The people and pipelines beside the function: they call the account with a key of their own.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use aws_sdk_ecs::types::{ContainerDefinition, Tag};
use sim::Account;

/// The owner of the services.
pub(crate) struct Owner {
    ecs: Client,
    secrets: aws_sdk_secretsmanager::Client,
}

impl Owner {
    pub(crate) fn of(account: &Account) -> Self {
        let credentials =
            SharedCredentialsProvider::new(Credentials::from_keys("AKIAOWNER", "secret", None));
        let config = account
            .sdk_config()
            .to_builder()
            .credentials_provider(credentials)
            .build();
        Self {
            ecs: Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
        }
    }

    fn update(&self, service: &str) -> UpdateServiceFluentBuilder {
        let (cluster, name) = service.split_once('/').unwrap();
        self.ecs.update_service().cluster(cluster).service(name)
    }

    /// Deploys a new task definition, as a pipeline does.
    pub(crate) async fn deploys(&self, service: &str) {
        let (_, family) = service.split_once('/').unwrap();
        let container = ContainerDefinition::builder()
            .name("app")
            .image("app:2")
            .build();
        let registered = self
            .ecs
            .register_task_definition()
            .family(family)
            .container_definitions(container)
            .send()
            .await
            .unwrap();
        let arn = registered
            .task_definition()
            .unwrap()
            .task_definition_arn()
            .unwrap();
        self.update(service)
            .task_definition(arn)
            .send()
            .await
            .unwrap();
    }

    /// Forces a deployment of the running task definition.
    pub(crate) async fn forces(&self, service: &str) {
        self.update(service)
            .force_new_deployment(true)
            .send()
            .await
            .unwrap();
    }

    /// Sets the desired count.
    pub(crate) async fn scales(&self, service: &str, desired: i32) {
        self.update(service)
            .desired_count(desired)
            .send()
            .await
            .unwrap();
    }

    /// Stops a task, as somebody who debugs it does.
    pub(crate) async fn stops_task(&self, cluster: &str, task: &str) {
        self.ecs
            .stop_task()
            .cluster(cluster)
            .task(task)
            .send()
            .await
            .unwrap();
    }

    /// Changes the description of a secret, not its value.
    pub(crate) async fn describes_secret(&self, name: &str, description: &str) {
        self.secrets
            .update_secret()
            .secret_id(name)
            .description(description)
            .send()
            .await
            .unwrap();
    }

    /// Writes a secret that does not exist, which fails.
    pub(crate) async fn puts_no_secret(&self, name: &str) {
        self.secrets
            .put_secret_value()
            .secret_id(name)
            .secret_string("x")
            .send()
            .await
            .unwrap_err();
    }

    /// Deletes the service, with running tasks too.
    pub(crate) async fn deletes(&self, service: &str) {
        let (cluster, name) = service.split_once('/').unwrap();
        self.ecs
            .delete_service()
            .cluster(cluster)
            .service(name)
            .force(true)
            .send()
            .await
            .unwrap();
    }

    /// Removes a tag of the service.
    pub(crate) async fn untags(&self, service: &str, key: &str) {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:service/{service}");
        self.ecs
            .untag_resource()
            .resource_arn(arn)
            .tag_keys(key)
            .send()
            .await
            .unwrap();
    }

    /// Tags the service; the tag index follows later.
    pub(crate) async fn tags(&self, service: &str, key: &str, value: &str) {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:service/{service}");
        let tag = Tag::builder().key(key).value(value).build();
        self.ecs
            .tag_resource()
            .resource_arn(arn)
            .tags(tag)
            .send()
            .await
            .unwrap();
    }
}
