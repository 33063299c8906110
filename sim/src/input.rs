//! The input of an operation, as the JSON protocols write it.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{ApiError, ApiResult};

/// Reads the input of an operation; members that it does not know are AWS's, and the simulation
/// ignores them.
pub(crate) fn parse<T: DeserializeOwned>(input: Value) -> ApiResult<T> {
    let input = if input.is_null() { json!({}) } else { input };
    serde_json::from_value(input).map_err(|error| ApiError::new("SerializationException", error))
}
