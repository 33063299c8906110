//! Many changes for many services in one invocation: the memory that it takes.

use std::path::Path;

use serde_json::Value;

use crate::contestant::Contestant;
use crate::event::{self, QUEUE};
use crate::failure::Failure;
use crate::stage::{Setting, Stage};

/// A storm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storm {
    /// Parameters that change.
    pub(crate) changes: usize,
    /// Services that watch all of them.
    pub(crate) services: usize,
    /// Settings of the function.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// Numbers of the summary line that prove what was done.
    pub(crate) proof: &'static [(&'static str, usize)],
}

/// A hundred parameters that three thousand services watch: more than one change may restart.
pub(crate) const HUNDRED: Storm = Storm {
    changes: 100,
    services: 3_000,
    variables: &[("RELOADER_CONCURRENCY", "1")],
    proof: &[("changes", 100), ("refused", 3_000)],
};

/// A thousand parameters that a thousand services watch: 50 start, the others are held.
pub(crate) const THOUSAND: Storm = Storm {
    changes: 1_000,
    services: 1_000,
    variables: &[
        ("RELOADER_CONCURRENCY", "1"),
        ("RELOADER_MAX_SERVICES", "1000"),
    ],
    proof: &[("changes", 1_000), ("started", 50), ("held", 950)],
};

impl Storm {
    /// The peak of the function's memory in bytes, after the invocation and after that of what it
    /// deferred.
    pub(crate) async fn peak(&self, binary: &Path, folder: &Path) -> Result<u64, Failure> {
        let setting = Setting {
            matching: self.services,
            path: Some("/app/"),
            others: 0,
            variables: self.variables.to_vec(),
            ..Setting::default()
        };
        let mut stage = Stage::set(&Contestant::ours(binary), &setting, folder, false).await?;
        let names = (0..self.changes).map(|place| format!("/app/parameter-{place:04}"));
        let changes: Vec<_> = names
            .map(|name| event::change(&stage.account, &name))
            .collect();
        let payload = event::payload(&stage.account, &changes);
        stage.invoke(payload).await?;
        self.check(&stage.summary())?;

        let deferred = stage.account.messages(QUEUE);
        if !deferred.is_empty() {
            let payload = event::records(&stage.account, deferred.into_iter());
            stage.invoke(payload).await?;
        }
        let peak = stage.usage()?.peak;
        stage.end().await?;
        Ok(peak)
    }

    fn check(&self, summary: &Value) -> Result<(), Failure> {
        for (name, number) in self.proof {
            if summary.get(name) != Some(&Value::from(*number)) {
                return Err(format!("{name} is not {number}: {summary}").into());
            }
        }
        Ok(())
    }
}
