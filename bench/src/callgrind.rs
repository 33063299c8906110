//! Instructions, as valgrind's tool callgrind counts them. They hardly differ between two runs, and
//! no other work of the machine changes them.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Without it Go's runtime interrupts its threads by signals, which callgrind does not survive.
pub(crate) const VARIABLE: (&str, &str) = ("GODEBUG", "asyncpreemptoff=1");

/// A program to run under callgrind, and the file for the result.
#[derive(Clone, Debug)]
pub(crate) struct Callgrind {
    valgrind: PathBuf,
    result: PathBuf,
}

impl Callgrind {
    /// Finds valgrind, and removes an older result.
    pub(crate) fn new(result: PathBuf) -> Result<Self, Failure> {
        let _ = std::fs::remove_file(&result);
        Ok(Self {
            valgrind: find("valgrind")?,
            result,
        })
    }

    /// The program and the arguments that run `program` under callgrind.
    pub(crate) fn around(&self, program: &Path, arguments: &[String]) -> (PathBuf, Vec<String>) {
        let mut all = vec![
            "--tool=callgrind".to_owned(),
            format!("--callgrind-out-file={}", self.result.display()),
            program.display().to_string(),
        ];
        all.extend_from_slice(arguments);
        (self.valgrind.clone(), all)
    }

    /// The instructions of the program, once it has ended.
    pub(crate) fn instructions(&self) -> Result<u64, Failure> {
        let text = std::fs::read_to_string(&self.result)?;
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("totals: "));
        Ok(line.ok_or("callgrind wrote no result")?.trim().parse()?)
    }
}

/// The path of a program, as a shell finds it.
pub(crate) fn find(program: &str) -> Result<PathBuf, Failure> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(program));
    let path = paths.find(|path| path.is_file());
    path.ok_or_else(|| format!("{program} is not installed").into())
}
