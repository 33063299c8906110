//! What a process used, as Linux counts it: "`proc_pid_stat(5)`" and its neighbours.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;

/// What a process used since it started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all its threads that live.
    pub(crate) cpu: Duration,
    /// Page faults that needed no disk.
    pub(crate) faults: u64,
    /// The peak of its memory, in bytes.
    pub(crate) peak: u64,
}

/// A running process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    id: u32,
    folder: PathBuf,
}

impl Process {
    /// The process with this id.
    pub(crate) fn new(id: u32) -> Self {
        let folder = Path::new("/proc").join(id.to_string());
        Self { id, folder }
    }

    /// Reads what it used so far.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        Ok(Usage {
            cpu: self.cpu()?,
            faults: self.stat(10)?.parse()?,
            peak: self.peak()?,
        })
    }

    /// The sum of its threads' time on a processor, in nanoseconds: the ticks of `stat` are of 10 ms.
    fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(self.folder.join("task"))? {
            // A thread that ends meanwhile has no file any more.
            let text =
                std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            let first = text.split(' ').next().unwrap_or_default();
            nanoseconds += first.parse::<u64>().unwrap_or_default();
        }
        if nanoseconds == 0 {
            return Err("the kernel has no schedstat: CPU time cannot be read".into());
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn peak(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(self.folder.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap_or_default().trim().trim_end_matches(" kB");
        Ok(kib.parse::<u64>()? * 1024)
    }

    /// The field of `stat` with this number, from 3 on.
    fn stat(&self, number: usize) -> Result<String, Failure> {
        let stat = std::fs::read_to_string(self.folder.join("stat"))?;
        // The second field, the program's name, is in parentheses and may contain anything.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let field = fields.split(' ').nth(number - 3);
        Ok(field.unwrap_or_default().to_owned())
    }

    /// Ends it, as `kill` does, and waits until it has ended: a tool around a program writes its
    /// result then.
    pub(crate) async fn end(&self) -> Result<(), Failure> {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        kill_process(id.ok_or("no such process")?, Signal::TERM)?;
        for _ in 0..600 {
            // An ended process is a zombie until its parent has asked for its exit status.
            if self.stat(3).is_ok_and(|state| state == "Z") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the process does not end".into())
    }
}
