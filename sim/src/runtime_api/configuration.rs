//! The configuration of a function, and the lines that it writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The part of `FunctionConfiguration` (Lambda API) that reaches the process of a function.
#[derive(Debug, Clone)]
pub struct FunctionConfiguration {
    /// The program that would be `bootstrap` in the function's package.
    pub binary: PathBuf,
    /// The arguments of the program. Lambda gives `bootstrap` none; a tool that runs the function,
    /// such as valgrind, takes the function's own path among them.
    pub arguments: Vec<String>,
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in MiB. The process reads it; no limit is enforced.
    pub memory_size: u32,
    /// `AWS_REGION` and `AWS_DEFAULT_REGION`.
    pub region: String,
    /// `AWS_ENDPOINT_URL`: the address of the account ([`crate::server::Server::endpoint_url`]).
    pub endpoint_url: String,
    /// The function's own environment variables. Nothing of this process's environment is passed
    /// on.
    pub variables: BTreeMap<String, String>,
}

/// A line that the function wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The stream that it was written to.
    pub stream: Stream,
    /// The line, without its end.
    pub text: String,
}

/// The two streams that Lambda sends to `CloudWatch` Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The directory of the binary: Lambda unpacks the function to it (`LAMBDA_TASK_ROOT`).
pub(super) fn task_root(binary: &Path) -> PathBuf {
    binary.parent().map(Path::to_path_buf).unwrap_or_default()
}
