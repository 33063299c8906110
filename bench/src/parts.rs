//! Parts of the function by themselves, as callgrind counts them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::callgrind::Callgrind;
use crate::failure::Failure;

/// A part of the function, with the number of services that it works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Its name for the program `parts`.
    pub(crate) name: &'static str,
    /// Services.
    pub(crate) services: usize,
    /// The repetitions whose cost is measured.
    pub(crate) times: u64,
}

impl Part {
    /// The instructions of one repetition: the difference between one of them and many, so that
    /// the preparation does not count.
    pub(crate) fn instructions(&self, program: &Path, folder: &Path) -> Result<u64, Failure> {
        let one = self.count(program, folder, 1)?;
        let many = self.count(program, folder, 1 + self.times)?;
        Ok(many.saturating_sub(one) / self.times)
    }

    fn count(&self, program: &Path, folder: &Path, times: u64) -> Result<u64, Failure> {
        let folder = folder.join(std::process::id().to_string());
        std::fs::create_dir_all(&folder)?;
        let callgrind = Callgrind::new(folder.join("callgrind.out"))?;
        let arguments = [self.name, &self.services.to_string(), &times.to_string()];
        let (program, arguments) = callgrind.around(program, &arguments.map(str::to_owned));
        let mut command = Command::new(program);
        let status = command.args(arguments).stderr(Stdio::null()).status()?;
        if status.success() {
            callgrind.instructions()
        } else {
            Err(format!("parts {}: {status}", self.name).into())
        }
    }
}
