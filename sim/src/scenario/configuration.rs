//! What the owner of the account does to configuration: parameters, objects, secrets and AppConfig,
//! without a call on record.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::Account;
use crate::appconfig::Configuration;
use crate::error::ApiResult;

impl Account {
    /// Writes a parameter; answers its new version. An event tells of it.
    #[expect(clippy::must_use_candidate, reason = "the version is a by-product")]
    pub fn put_parameter(&self, name: &str) -> u64 {
        self.change(|world| world.put_parameter(name))
    }

    /// The times at which a parameter was written, oldest first, by whomever.
    #[must_use]
    pub fn parameter_writes(&self, name: &str) -> Vec<Timestamp> {
        self.read(|world| world.parameters.written_at(name))
    }

    /// Deletes a parameter, if there is one. An event tells of it.
    pub fn delete_parameter(&self, name: &str) {
        // A parameter that does not exist stays so.
        let _ = self.change(|world| world.parameters.delete(&mut world.shared, name));
    }

    /// Moves a label to the newest version of a parameter, if there is one. An event tells of it.
    pub fn label_parameter(&self, name: &str, label: &str) {
        // What does not exist has no labels.
        let _ = self.change(|world| {
            let labels = [label.to_owned()];
            world
                .parameters
                .label(&mut world.shared, name, None, &labels)
        });
    }

    /// Tags a parameter, if there is one; the index learns of it later.
    pub fn tag_parameter(&self, name: &str, key: &str, value: &str) {
        // What does not exist has no tags.
        let _ = self.change(|world| {
            world.parameters.tag(&mut world.shared, name, |tags| {
                drop(tags.insert(key.to_owned(), value.to_owned()));
            })
        });
    }

    /// Takes a tag of a parameter away; the index learns of it later.
    pub fn untag_parameter(&self, name: &str, key: &str) {
        // What does not exist has no tags.
        let _ = self.change(|world| {
            world
                .parameters
                .tag(&mut world.shared, name, |tags| drop(tags.remove(key)))
        });
    }

    /// Writes an object; answers how often it was written. The bucket comes to be with it,
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

    /// Writes an object without content, as "Create folder" of the S3 console does where the key
    /// ends in a slash.
    pub fn create_folder(&self, bucket: &str, key: &str) {
        self.change(|world| {
            let now = world.shared.clock.now;
            world.buckets.ensure_bucket(bucket, now);
            // The bucket exists: writing cannot fail.
            let _ = world.buckets.put(&mut world.shared, bucket, key, b"");
        });
    }

    /// Deletes an object, if there is one. An event tells of it.
    pub fn delete_object(&self, bucket: &str, key: &str) {
        // What does not exist stays so.
        let _ = self.change(|world| world.buckets.delete(&mut world.shared, bucket, key));
    }

    /// Creates a bucket, versioned and with EventBridge on, if there is none.
    pub fn add_bucket(&self, name: &str) {
        self.change(|world| world.buckets.ensure_bucket(name, world.shared.clock.now));
    }

    /// Gives a secret, new, known or marked for deletion, a new value: its next version, whose id
    /// this answers, becomes the current one. Secrets Manager tells of it by itself, and
    /// through CloudTrail as `CreateSecret` or `PutSecretValue`.
    #[expect(clippy::must_use_candidate, reason = "the version is a by-product")]
    pub fn put_secret(&self, name: &str) -> String {
        // Whatever would be in the way is put right first: it cannot fail.
        self.change(|world| world.secrets.put(&mut world.shared, name))
            .unwrap_or_default()
    }

    /// Attaches a staging label to a version, wherever it was before: `UpdateSecretVersionStage`.
    /// Nothing happens if either does not exist.
    pub fn move_stage(&self, name: &str, stage: &str, version: &str) {
        // What does not exist wears no labels.
        let _ = self.change(|world| {
            let shared = &mut world.shared;
            world.secrets.move_stage(shared, name, stage, version)
        });
    }

    /// Rotates a secret, if there is one: a second and a half later there is a pending version,
    /// which six seconds after the call is the current one, unless the account is configured
    /// otherwise.
    pub fn rotate_secret(&self, name: &str) {
        // What does not exist does not rotate.
        let _ = self.as_secret_owner("RotateSecret", json!({ "SecretId": name }));
    }

    /// Marks a secret, if there is one, for deletion in 30 days: nobody can read it any more. Only
    /// CloudTrail tells of it.
    pub fn delete_secret(&self, name: &str) {
        // What does not exist stays so.
        let _ = self.as_secret_owner("DeleteSecret", json!({ "SecretId": name }));
    }

    /// Tags a secret, if there is one; the index learns of it later.
    pub fn tag_secret(&self, name: &str, key: &str, value: &str) {
        let tags = json!([{ "Key": key, "Value": value }]);
        // What does not exist has no tags.
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

    /// A deployment of an AppConfig configuration reaches its last target. An event tells of it.
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

    /// A deployment of an AppConfig configuration begins: what reads the configuration from now on
    /// has the new value. An event tells of it.
    pub fn start_appconfig_deployment(&self, application: &str, environment: &str, profile: &str) {
        let configuration = Configuration {
            application,
            environment,
            profile,
        };
        self.change(|world| world.appconfig.start(&mut world.shared, configuration));
    }

    /// The deployment that was begun last is rolled back: the value before it is in force again. An
    /// event tells of it; AWS's pages call it `On Deployment Rollback` or `On Deployment Rolled
    /// Back`.
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
