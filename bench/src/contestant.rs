//! The programs that are measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::callgrind::find;
use crate::failure::Failure;
use crate::machine;

/// The folder of the contestants' sources.
const SOURCES: &str = "bench/contestants";

/// A program that answers the events.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    /// Its name in tables.
    pub(crate) name: String,
    /// Its calls for one event that restarts N services.
    pub(crate) calls: &'static str,
    /// The program that Lambda would start.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Variables of its own.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Its way of replacing the tasks of a service.
    pub(crate) way: Way,
    /// The files of its package.
    pub(crate) package: Vec<PathBuf>,
}

/// The way in which a contestant replaces the tasks of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It forces a deployment.
    Deploys,
    /// It stops the tasks, and Amazon ECS starts others.
    StopsTasks,
}

/// The programs of the contestants, as `make bench` builds them.
#[derive(Debug, Args)]
pub(crate) struct Programs {
    /// The function's binary, of the release profile.
    #[arg(long)]
    pub(crate) binary: PathBuf,
    /// The program `floor`, of the release profile.
    #[arg(long)]
    floor: PathBuf,
    /// A Python with the packages of bench/contestants/requirements.txt. Without it there are no
    /// contestants in Python.
    #[arg(long)]
    python: PathBuf,
}

impl Programs {
    /// The versions of everything that takes part.
    pub(crate) fn versions(&self) -> Vec<String> {
        machine::versions(&self.python)
    }
}

impl Contestant {
    /// The function itself.
    pub(crate) fn ours(binary: &Path) -> Self {
        Self::native("ecs-reloader", "ours", binary)
    }

    /// Returns whether its package is a script.
    pub(crate) fn is_interpreted(&self) -> bool {
        let mut files = self.package.iter();
        files.any(|file| file.extension().is_some_and(|extension| extension == "py"))
    }

    fn native(name: &str, calls: &'static str, binary: &Path) -> Self {
        Self {
            name: name.to_owned(),
            calls,
            program: binary.to_path_buf(),
            arguments: Vec::new(),
            variables: Vec::new(),
            way: Way::Deploys,
            package: vec![binary.to_path_buf()],
        }
    }

    fn python(name: &str, calls: &'static str, python: &Path, module: &str) -> Self {
        let arguments = ["-m", "awslambdaric", &format!("{module}.handler")];
        let sources = Path::new(SOURCES);
        let package = [module, "watching"].map(|name| sources.join(format!("{name}.py")));
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            variables: vec![
                ("PYTHONPATH", SOURCES.to_owned()),
                ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
                // People sleep 30 to 60 seconds, which is not what is measured.
                ("STOP_TASKS_SLEEP", "0.01".to_owned()),
            ],
            package: package.to_vec(),
            ..Self::native(name, calls, python)
        }
    }
}

/// The contestants that can run here, and what is missing for the others.
pub(crate) fn all(programs: &Programs, folder: &Path) -> (Vec<Contestant>, Vec<String>) {
    let mut contestants = vec![
        Contestant::ours(&programs.binary),
        Contestant::native("Rust without an SDK", "two", &programs.floor),
    ];
    let mut missing = Vec::new();
    match build_go(folder) {
        Ok(binary) => {
            contestants.push(Contestant::native("Go, standard library", "two", &binary));
        }
        Err(error) => missing.push(format!("Go: {error}")),
    }
    let python = &programs.python;
    if python.is_file() {
        contestants.extend([
            Contestant::python("boto3", "two", python, "boto3_two_calls"),
            Contestant::python("boto3 with our calls", "ours", python, "boto3_our_calls"),
            Contestant {
                way: Way::StopsTasks,
                ..Contestant::python("boto3, StopTask and sleep", "three", python, "stop_tasks")
            },
        ]);
    } else {
        missing.push(format!("Python: there is no {}", python.display()));
    }
    (contestants, missing)
}

/// Builds the function in Go, without the network.
fn build_go(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder)?;
    let binary = std::path::absolute(folder.join("go-function"))?;
    let mut command = Command::new(find("go")?);
    let command = command
        .current_dir(Path::new(SOURCES).join("go"))
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&binary);
    if command.status()?.success() {
        Ok(binary)
    } else {
        Err("go build failed".into())
    }
}
