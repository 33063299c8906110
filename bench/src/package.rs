//! The size of packages.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// The size of a file when it is compressed as a package of Lambda is.
pub(crate) fn zipped(binary: &Path) -> Result<u64, Failure> {
    let mut gzip = Command::new("gzip")
        .args(["-9", "-n", "-c"])
        .stdin(std::fs::File::open(binary)?)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut compressed = gzip.stdout.take().ok_or("gzip has no output")?;
    let size = std::io::copy(&mut compressed, &mut std::io::sink())?;
    if gzip.wait()?.success() {
        Ok(size)
    } else {
        Err("gzip failed".into())
    }
}
