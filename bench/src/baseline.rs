//! The committed numbers, and the programs that they come from.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Figures by their names, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Where the figures come from.
    pub(crate) versions: Versions,
    /// The figures.
    pub(crate) figures: BTreeMap<String, u64>,
}

/// What changes the figures without a change of the function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// `rustc --version`.
    pub(crate) compiler: String,
    /// `valgrind --version`: it decides which features of a processor the program sees.
    pub(crate) valgrind: String,
    /// The processor's architecture.
    pub(crate) architecture: String,
}

impl Versions {
    /// Those of this machine.
    pub(crate) fn here() -> Result<Self, Failure> {
        Ok(Self {
            compiler: version_of("rustc")?,
            valgrind: version_of("valgrind")?,
            architecture: std::env::consts::ARCH.to_owned(),
        })
    }
}

/// The first line that a program writes about its version.
pub(crate) fn version_of(program: &str) -> Result<String, Failure> {
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|error| format!("{program} --version: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

impl Baseline {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self)?;
        Ok(std::fs::write(path, text + "\n")?)
    }
}
