//! What the owner of the account does to configuration: parameters, objects, secrets and AppConfig,
//! without a call on record.

use jiff::Timestamp;
use serde_json::json;

use crate::account::Account;
use crate::ssm::Put;

impl Account {
    /// Writes a parameter; answers its new version. An event tells of it.
    #[expect(clippy::must_use_candidate, reason = "the version is a by-product")]
    pub fn put_parameter(&self, name: &str) -> u64 {
        // The owner's put overwrites: it cannot fail.
        self.change(|world| world.put_parameter(Put::by_owner(&world.config, name)))
            .unwrap_or_default()
    }

    /// The times at which a parameter was written, oldest first, by whomever.
    #[must_use]
    pub fn parameter_writes(&self, name: &str) -> Vec<Timestamp> {
        self.look(|world| world.parameters.written_at(name))
    }

    /// Deletes a parameter, if there is one. An event tells of it.
    pub fn delete_parameter(&self, name: &str) {
        // A parameter that does not exist stays so.
        let _ = self.change(|world| world.delete_parameter(name));
    }

    /// Moves a label to the newest version of a parameter, if there is one. An event tells of it.
    pub fn label_parameter(&self, name: &str, label: &str) {
        // What does not exist has no labels.
        let _ = self.change(|world| world.label_parameter(name, None, &[label.to_owned()]));
    }

    /// Tags a parameter, if there is one; the index learns of it later.
    pub fn tag_parameter(&self, name: &str, key: &str, value: &str) {
        // What does not exist has no tags.
        let _ = self.change(|world| {
            world.tag_parameter(name, |tags| {
                drop(tags.insert(key.to_owned(), value.to_owned()));
            })
        });
    }

    /// Writes an object; answers how often it was written. The bucket comes to be with it,
    /// versioned and with EventBridge on.
    #[expect(clippy::must_use_candidate, reason = "the count is a by-product")]
    pub fn put_object(&self, bucket: &str, key: &str) -> u64 {
        self.change(|world| {
            let now = world.clock.now;
            world.buckets.ensure_bucket(bucket, now);
            // The bucket exists: writing cannot fail.
            world
                .put_object(bucket, key, b"content")
                .unwrap_or_default()
        })
    }

    /// Writes an object without content, as "Create folder" of the S3 console does where the key
    /// ends in a slash.
    pub fn create_folder(&self, bucket: &str, key: &str) {
        self.change(|world| {
            let now = world.clock.now;
            world.buckets.ensure_bucket(bucket, now);
            // The bucket exists: writing cannot fail.
            let _ = world.put_object(bucket, key, b"");
        });
    }

    /// Deletes an object, if there is one. An event tells of it.
    pub fn delete_object(&self, bucket: &str, key: &str) {
        // What does not exist stays so.
        let _ = self.change(|world| world.delete_object(bucket, key));
    }

    /// Creates a bucket, versioned and with EventBridge on, if there is none.
    pub fn add_bucket(&self, name: &str) {
        self.change(|world| world.buckets.ensure_bucket(name, world.clock.now));
    }

    /// Gives a secret, new, known or marked for deletion, a new value: its next version, whose id
    /// this answers, becomes the current one. Secrets Manager tells of it by itself, and
    /// through CloudTrail as `CreateSecret` or `PutSecretValue`.
    #[expect(clippy::must_use_candidate, reason = "the version is a by-product")]
    pub fn put_secret(&self, name: &str) -> String {
        // Whatever would be in the way is put right first: it cannot fail.
        self.change(|world| world.put_secret(name))
            .unwrap_or_default()
    }

    /// Attaches a staging label to a version, wherever it was before: `UpdateSecretVersionStage`.
    /// Nothing happens if either does not exist.
    pub fn move_stage(&self, name: &str, stage: &str, version: &str) {
        // What does not exist wears no labels.
        let _ = self.change(|world| world.move_stage(name, stage, version));
    }

    /// Rotates a secret, if there is one: a second and a half later there is a pending version,
    /// which six seconds after the call is the current one, unless the account is configured
    /// otherwise.
    pub fn rotate_secret(&self, name: &str) {
        // What does not exist does not rotate.
        let _ = self.change(|world| world.as_owner("RotateSecret", json!({ "SecretId": name })));
    }

    /// Marks a secret, if there is one, for deletion in 30 days: nobody can read it any more. Only
    /// CloudTrail tells of it.
    pub fn delete_secret(&self, name: &str) {
        // What does not exist stays so.
        let _ = self.change(|world| world.as_owner("DeleteSecret", json!({ "SecretId": name })));
    }

    /// Tags a secret, if there is one; the index learns of it later.
    pub fn tag_secret(&self, name: &str, key: &str, value: &str) {
        let tags = json!([{ "Key": key, "Value": value }]);
        // What does not exist has no tags.
        let _ = self.change(|world| {
            world.as_owner("TagResource", json!({ "SecretId": name, "Tags": tags }))
        });
    }

    /// The full ARN of a secret, if there is one.
    #[must_use]
    pub fn secret_arn(&self, name: &str) -> Option<String> {
        self.look(|world| world.secrets.arn(name))
    }

    /// A deployment of an AppConfig configuration reaches its last target. An event tells of it.
    pub fn complete_appconfig_deployment(
        &self,
        application: &str,
        environment: &str,
        profile: &str,
    ) {
        self.change(|world| world.complete_appconfig_deployment(application, environment, profile));
    }

    /// A deployment of an AppConfig configuration begins: what reads the configuration from now on
    /// has the new value. An event tells of it.
    pub fn start_appconfig_deployment(&self, application: &str, environment: &str, profile: &str) {
        self.change(|world| world.start_appconfig_deployment(application, environment, profile));
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
        self.change(|world| {
            world.roll_back_appconfig_deployment(application, environment, profile, called);
        });
    }
}
