//! The acts of the account's owner on configuration: parameters, objects, secrets and AppConfig,
//! without a call on record.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::Account;
use crate::appconfig::Configuration;
use crate::error::ApiResult;
use crate::tags::Tags;

impl Account {
    /// Writes a parameter; returns its new version. An event is sent.
    #[expect(clippy::must_use_candidate, reason = "the version is a by-product")]
    pub fn put_parameter(&self, name: &str) -> u64 {
        self.change(|world| world.put_parameter(name))
    }

    /// The times at which a parameter was written, oldest first, by any writer.
    #[must_use]
    pub fn parameter_writes(&self, name: &str) -> Vec<Timestamp> {
        self.read(|world| world.parameters.written_at(name))
    }

    /// Deletes a parameter, if there is one. An event is sent.
    pub fn delete_parameter(&self, name: &str) {
        // A parameter that does not exist stays as it is.
        let _ = self.change(|world| world.parameters.delete(&mut world.shared, name));
    }

    /// Moves a label to the newest version of a parameter, if there is one. An event is sent.
    pub fn label_parameter(&self, name: &str, label: &str) {
        // Only an existing parameter has labels.
        let _ = self.change(|world| {
            let labels = [label.to_owned()];
            world
                .parameters
                .label(&mut world.shared, name, None, &labels)
        });
    }

    /// Tags a parameter, if there is one; the tag index has it later.
    pub fn tag_parameter(&self, name: &str, key: &str, value: &str) {
        // Only an existing resource has tags.
        let _ = self.change(|world| {
            world.parameters.tag(&mut world.shared, name, |tags| {
                drop(tags.insert(key.to_owned(), value.to_owned()));
            })
        });
    }

    /// Removes a tag of a parameter; the tag index has it later.
    pub fn untag_parameter(&self, name: &str, key: &str) {
        // Only an existing parameter has tags.
        let _ = self.change(|world| {
            let untag = |tags: &mut Tags| drop(tags.remove(key));
            world.parameters.tag(&mut world.shared, name, untag)
        });
    }

    /// Writes an object; returns the number of its writes. The bucket comes to be with it,
    /// versioned and with EventBridge on.
    #[expect(clippy::must_use_candidate, reason = "the count is a by-product")]
    pub fn put_object(&self, bucket: &str, key: &str) -> u64 {
        self.change(|world| {
            let now = world.shared.clock.now;
            world.buckets.ensure_bucket(bucket, now);
            // The bucket exists: writing cannot fail.
            let (buckets, shared) = (&mut world.buckets, &mut world.shared);
            buckets
                .put(shared, bucket, key, b"content")
                .unwrap_or_default()
        })
    }

    /// Writes an object without content. With a key that ends in a slash this is "Create folder" of
    /// the S3 console.
    pub fn create_folder(&self, bucket: &str, key: &str) {
        self.change(|world| {
            let now = world.shared.clock.now;
            world.buckets.ensure_bucket(bucket, now);
            // The bucket exists: writing cannot fail.
            let _ = world.buckets.put(&mut world.shared, bucket, key, b"");
        });
    }

    /// Deletes an object, if there is one. An event is sent.
    pub fn delete_object(&self, bucket: &str, key: &str) {
        // Without such a thing there is nothing to delete.
        let _ = self.change(|world| world.buckets.delete(&mut world.shared, bucket, key));
    }

    /// Creates a bucket, versioned and with EventBridge on, if there is none.
    pub fn add_bucket(&self, name: &str) {
        self.change(|world| world.buckets.ensure_bucket(name, world.shared.clock.now));
    }

    /// Gives a secret, new, known or marked for deletion, a new value: its next version becomes the
    /// current one. Returns the id of that version. Secrets Manager sends an event of its own, and
    /// CloudTrail one for `CreateSecret` or `PutSecretValue`.
    #[expect(clippy::must_use_candidate, reason = "the version is a by-product")]
    pub fn put_secret(&self, name: &str) -> String {
        // Every obstacle is removed first: it cannot fail.
        self.change(|world| world.secrets.put(&mut world.shared, name))
            .unwrap_or_default()
    }

    /// Moves a staging label to a version: `UpdateSecretVersionStage`. Nothing happens if the
    /// secret or the version does not exist.
    pub fn move_stage(&self, name: &str, stage: &str, version: &str) {
        // Only an existing version has labels.
        let _ = self.change(|world| {
            let shared = &mut world.shared;
            world.secrets.move_stage(shared, name, stage, version)
        });
    }

    /// Rotates a secret, if there is one. Its pending version exists after one and a half seconds,
    /// and is the current one after six, unless the account is configured otherwise.
    pub fn rotate_secret(&self, name: &str) {
        // Only an existing secret rotates.
        let _ = self.as_secret_owner("RotateSecret", json!({ "SecretId": name }));
    }

    /// Marks a secret, if there is one, for deletion in 30 days: it cannot be read any more. Only
    /// CloudTrail sends an event.
    pub fn delete_secret(&self, name: &str) {
        // Without such a thing there is nothing to delete.
        let _ = self.as_secret_owner("DeleteSecret", json!({ "SecretId": name }));
    }

    /// Tags a secret, if there is one; the tag index has it later.
    pub fn tag_secret(&self, name: &str, key: &str, value: &str) {
        let tags = json!([{ "Key": key, "Value": value }]);
        // Only an existing resource has tags.
        let _ = self.as_secret_owner("TagResource", json!({ "SecretId": name, "Tags": tags }));
    }

    fn as_secret_owner(&self, operation: &str, input: Value) -> ApiResult {
        self.change(|world| {
            let shared = &mut world.shared;
            world.secrets.as_owner(shared, operation, input)
        })
    }

    /// The full ARN of a secret, if there is one.
    #[must_use]
    pub fn secret_arn(&self, name: &str) -> Option<String> {
        self.read(|world| world.secrets.arn(name))
    }

    /// A deployment of an AppConfig configuration reaches its last target. An event is sent.
    pub fn complete_appconfig_deployment(
        &self,
        application: &str,
        environment: &str,
        profile: &str,
    ) {
        let configuration = Configuration {
            application,
            environment,
            profile,
        };
        self.change(|world| world.appconfig.complete(&mut world.shared, configuration));
    }

    /// A deployment of an AppConfig configuration begins: every reader from now on has the new
    /// value. An event is sent.
    pub fn start_appconfig_deployment(&self, application: &str, environment: &str, profile: &str) {
        let configuration = Configuration {
            application,
            environment,
            profile,
        };
        self.change(|world| world.appconfig.start(&mut world.shared, configuration));
    }

    /// The newest deployment is rolled back: the value before it is current again. An event is
    /// sent; AWS's pages call it `On Deployment Rollback` or `On Deployment Rolled Back`.
    pub fn roll_back_appconfig_deployment(
        &self,
        application: &str,
        environment: &str,
        profile: &str,
        called: &str,
    ) {
        let configuration = Configuration {
            application,
            environment,
            profile,
        };
        self.change(|world| {
            let shared = &mut world.shared;
            world.appconfig.roll_back(shared, configuration, called);
        });
    }
}
