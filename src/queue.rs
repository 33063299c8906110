//! Work that the function sent itself through its queue: `{"deferred": {"version": 1, …}}`. Later
//! versions read what this one wrote.

mod decode;
mod encode;
mod split;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use decode::decode;
pub use encode::encode;
