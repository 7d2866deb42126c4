//! Cursors on the wire: opaque, and bound to the list, filter and order that they came from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Digest;
use sha2::Sha256;

use crate::codes;
use crate::http::query::Params;
use crate::problem::ApiError;

/// Bytes of the binding in front of the cursor. It guards against mistakes, not against forgers:
/// what a caller may see is filtered anew for every page.
const BINDING: usize = 8;

/// What a cursor is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding([u8; BINDING]);

impl Binding {
    /// For `list` with these parameters, sorted.
    pub(crate) fn new(list: &str, parameters: &[&(String, String)]) -> Self {
        let mut hash = Sha256::new();
        // Lengths in front, so that no two lists of parameters read the same.
        for text in std::iter::once(list)
            .chain(parameters.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]))
        {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        let digest = hash.finalize();
        let mut binding = [0; BINDING];
        binding.copy_from_slice(&digest[..BINDING]);
        Self(binding)
    }
}

/// The cursor as callers get it.
pub(crate) fn encode<C: Serialize>(binding: Binding, cursor: &C) -> Option<String> {
    let mut bytes = binding.0.to_vec();
    serde_json::to_writer(&mut bytes, cursor).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The `cursor` parameter, if it is of this very list.
pub(crate) fn decode<C: DeserializeOwned>(
    params: &Params,
    binding: Binding,
) -> Result<Option<C>, ApiError> {
    let Some(text) = params.one("cursor")? else { return Ok(None) };
    let wrong = || {
        ApiError::new(
            &codes::INVALID_CURSOR,
            "it is damaged, or of a list with another filter or order: start without `cursor`",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let (bound, cursor) = bytes.split_at_checked(BINDING).ok_or_else(wrong)?;
    if bound != binding.0 {
        return Err(wrong());
    }
    serde_json::from_slice(cursor).map(Some).map_err(|_| wrong())
}
