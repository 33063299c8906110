//! Signature Version 4: "Create a signed AWS API request", IAM User Guide.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::Failure;
use crate::aws::variable;

const SIGNED: &str = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The credentials and the Region.
pub(crate) struct Signer {
    id: String,
    secret: String,
    token: String,
    region: String,
}

impl Signer {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            id: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
            token: variable("AWS_SESSION_TOKEN")?,
            region: variable("AWS_REGION")?,
        })
    }

    /// The head of a signed request.
    #[expect(
        clippy::disallowed_methods,
        reason = "a program of its own, without a clock that tests stop"
    )]
    pub(crate) fn sign(&self, service: &str, host: &str, target: &str, body: &[u8]) -> String {
        let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = stamp.split('T').next().unwrap_or_default();
        let token = &self.token;
        let headers = format!(
            "content-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{stamp}\n\
             x-amz-security-token:{token}\nx-amz-target:{target}\n"
        );
        let canonical = format!("POST\n/\n\n{headers}\n{SIGNED}\n{}", digest(body));
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let digest = digest(canonical.as_bytes());
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");

        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &text));
        let (id, length) = (&self.id, body.len());
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: {CONTENT_TYPE}\r\n\
             content-length: {length}\r\nx-amz-date: {stamp}\r\nx-amz-security-token: {token}\r\n\
             x-amz-target: {target}\r\nauthorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, \
             SignedHeaders={SIGNED}, Signature={signature}\r\n\r\n"
        )
    }
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is valid.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
