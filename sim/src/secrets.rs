//! Secrets Manager: secrets whose versions have staging labels. Each move of a label sends an
//! event.

pub(crate) mod api;
pub(crate) mod rotation;
pub(crate) mod selector;
pub(crate) mod store;
