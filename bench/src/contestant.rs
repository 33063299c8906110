//! The programs that are measured.

use std::path::{Path, PathBuf};

/// A program that answers the events.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    /// Its name in tables.
    pub(crate) name: String,
    /// The program that Lambda would start.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Its way of replacing the tasks of a service.
    pub(crate) way: Way,
}

/// The way in which a contestant replaces the tasks of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It forces a deployment.
    Deploys,
}

impl Contestant {
    /// The function itself.
    pub(crate) fn ours(binary: &Path) -> Self {
        Self {
            name: "ecs-reloader".to_owned(),
            program: binary.to_path_buf(),
            arguments: Vec::new(),
            way: Way::Deploys,
        }
    }
}
