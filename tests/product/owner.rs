//! The people and pipelines beside the function: they call the account under a key of their own.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{Builder, Credentials, SharedCredentialsProvider};
use aws_sdk_ecs::types::{ContainerDefinition, Tag};
use sim::Account;

/// What the owner of the services does.
pub(crate) struct Owner(Client);

impl Owner {
    pub(crate) fn of(account: &Account) -> Self {
        let credentials = SharedCredentialsProvider::new(Credentials::from_keys("AKIAOWNER", "secret", None));
        Self(Client::from_conf(Builder::from(&account.sdk_config()).credentials_provider(credentials).build()))
    }

    /// Deploys a new task definition, as a pipeline does.
    pub(crate) async fn deploys(&self, service: &str) {
        let (cluster, name) = service.split_once('/').unwrap();
        let container = ContainerDefinition::builder().name("app").image("app:2").build();
        let registered = self.0.register_task_definition().family(name).container_definitions(container).send().await.unwrap();
        let arn = registered.task_definition().unwrap().task_definition_arn().unwrap();
        self.0.update_service().cluster(cluster).service(name).task_definition(arn).send().await.unwrap();
    }

    /// Forces a deployment of what runs.
    pub(crate) async fn forces(&self, service: &str) {
        let (cluster, name) = service.split_once('/').unwrap();
        self.0.update_service().cluster(cluster).service(name).force_new_deployment(true).send().await.unwrap();
    }

    /// Deletes the service, whatever still runs.
    pub(crate) async fn deletes(&self, service: &str) {
        let (cluster, name) = service.split_once('/').unwrap();
        self.0.delete_service().cluster(cluster).service(name).force(true).send().await.unwrap();
    }

    /// Takes a tag from the service.
    pub(crate) async fn untags(&self, service: &str, key: &str) {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:service/{service}");
        self.0.untag_resource().resource_arn(arn).tag_keys(key).send().await.unwrap();
    }

    /// Tags the service; the index learns of it later.
    pub(crate) async fn tags(&self, service: &str, key: &str, value: &str) {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:service/{service}");
        let tag = Tag::builder().key(key).value(value).build();
        self.0.tag_resource().resource_arn(arn).tags(tag).send().await.unwrap();
    }
}
