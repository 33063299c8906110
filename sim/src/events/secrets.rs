use serde_json::{Value, json};

use super::envelope::Envelope;

/// The members of a secret that its events have.
#[derive(Clone, Copy, Debug)]
pub struct Secret<'a> {
    /// Its friendly name.
    pub name: &'a str,
    /// With the suffix of a hyphen and six characters.
    pub arn: &'a str,
}

/// `Secret Label Updated`: a staging label was attached to a version. Secrets Manager sends it for
/// every label but `AWSPENDING` and `AWSPREVIOUS` (Secrets Manager User Guide, "Secret Label
/// Updated").
#[must_use]
pub fn secret_label_updated(
    envelope: &Envelope<'_>,
    secret: &Secret<'_>,
    label: &str,
    version_id: &str,
) -> Value {
    let detail = json!({ "name": secret.name, "labelUpdated": label, "versionId": version_id });
    envelope.wrap(
        "aws.secretsmanager",
        "Secret Label Updated",
        &[secret.arn],
        &detail,
    )
}
