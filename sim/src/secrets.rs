//! Secrets Manager: secrets whose versions wear staging labels, each move of a label an event.

pub(crate) mod api;
pub(crate) mod rotation;
pub(crate) mod selector;
pub(crate) mod store;
