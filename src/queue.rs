//! Work that the function sent itself through its queue: `{"deferred": {"version": 1, …}}`. Later
//! versions read the messages of this one.

mod decode;
mod encode;
mod split;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
pub use encode::encode;
