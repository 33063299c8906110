//! Everything that may happen to the account, the services and the function in a history, with its
//! weight.

use fastrand::Rng;

macro_rules! happenings {
    ($($(#[doc = $doc:literal])+ $name:ident = $weight:literal, $text:literal;)+) => {
        /// One thing that happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Happening {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Happening {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// Its weight among all happenings.
            fn weight(self) -> usize {
                match self { $(Self::$name => $weight),+ }
            }

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

happenings! {
    /// One thing changes.
    Write = 6, "a write";
    /// Several things change within seconds.
    Burst = 1, "a burst of writes";
    /// A process of the function ends in mid-invocation.
    LostInvocation = 3, "a lost invocation";
    /// Calls of one kind fail, hang or are slow.
    Fault = 5, "a fault";
    /// Two faults that make each other worse.
    Combination = 2, "a combination of faults";
    /// The sweep runs.
    Sweep = 1, "a sweep";
    /// A pipeline deploys, or somebody restarts a service.
    Deploy = 1, "a deployment by others";
    /// A key is deleted.
    Delete = 1, "a deletion";
    /// Labels move, or a secret rotates.
    TouchSecret = 1, "a label or a rotation";
    /// Other callers take a part of the account's buckets.
    Compete = 1, "a competitor";
    /// A service is scaled.
    Scale = 2, "a scaling";
    /// A person requests restarts.
    Ask = 2, "a request";
    /// A person requests the restart of something that cannot be restarted.
    AskInVain = 1, "a request in vain";
    /// The function's mapping is disabled for a while.
    Stop = 1, "a stop of everything";
    /// A pipeline writes and deploys.
    WriteAndDeploy = 1, "a write with a deployment";
    /// An owner tags a service.
    Tag = 3, "a tag of a service";
    /// An owner sets or removes the tag by which a key is ignored.
    Ignore = 1, "a tag of a key";
    /// A person stops a rollout.
    StopRollout = 2, "a stopped rollout";
    /// An alarm goes off during a rollout.
    Alarm = 2, "an alarm";
    /// A malformed message.
    Malformed = 1, "a malformed message";
    /// An event of another Region.
    Foreign = 1, "an event of another Region";
}

impl Happening {
    /// One of all, by their weights.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        let all: usize = Self::ALL.iter().map(|happening| happening.weight()).sum();
        let mut place = rng.usize(..all);
        for happening in Self::ALL {
            match place.checked_sub(happening.weight()) {
                Some(left) => place = left,
                None => return *happening,
            }
        }
        Self::Write
    }
}
