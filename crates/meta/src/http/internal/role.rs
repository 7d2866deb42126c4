//! Which role calls: its name, its token, its version of the protocol.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aipress_api::PROTOCOL;
use aipress_api::PROTOCOL_HEADER;
use aipress_api::ROLE_HEADER;
use aipress_types::ShardId;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use sha2::Digest;
use sha2::Sha256;

use crate::codes;
use crate::error::MetaError;
use crate::http::authenticate::bearer;
use crate::http::envelope::AccessNote;
use crate::plane::Plane;
use crate::problem::ApiError;

/// The roles that may call, with the SHA-256 of each one's token.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleTokens(BTreeMap<String, [u8; 32]>);

impl RoleTokens {
    /// Reads `{"<role>": "<sha256 hex>"}`.
    ///
    /// # Errors
    /// When the file can't be read or has another form.
    pub(crate) fn from_file(path: &Path) -> Result<Self, MetaError> {
        let wrong = |reason: String| MetaError::RoleTokens { path: path.to_owned(), reason };
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let hashes: BTreeMap<String, String> =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let mut tokens = BTreeMap::new();
        for (role, digits) in hashes {
            let mut hash = [0; 32];
            hex::decode_to_slice(&digits, &mut hash)
                .map_err(|_| wrong(format!("the hash of `{role}` is not 64 hex digits")))?;
            tokens.insert(role, hash);
        }
        Ok(Self(tokens))
    }

    /// Whether `token` is the one of `role`. Hashes are compared, so that the time it takes says
    /// nothing of the token.
    fn proves(&self, role: &str, token: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.0.get(role).is_some_and(|known| *known == hash)
    }
}

/// The role that calls, proven.
#[derive(Debug, Clone)]
pub(crate) struct Role(String);

impl FromRequestParts<Arc<Plane>> for Role {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, plane: &Arc<Plane>) -> Result<Self, ApiError> {
        let role = authenticate(&plane.roles, &parts.headers)?;
        check_protocol(&parts.headers)?;
        if let Some(note) = parts.extensions.get::<AccessNote>() {
            note.set_caller(format!("role:{}", role.0));
        }
        Ok(role)
    }
}

fn authenticate(roles: &RoleTokens, headers: &HeaderMap) -> Result<Role, ApiError> {
    let name = headers.get(ROLE_HEADER).and_then(|value| value.to_str().ok());
    let (Some(name), Some(token)) = (name, bearer(headers)) else {
        return Err(ApiError::unauthenticated("say which role calls, with its token", None));
    };
    if roles.proves(name, token) {
        Ok(Role(name.to_owned()))
    } else {
        Err(ApiError::unauthenticated("the role's token is wrong", Some("invalid_token")))
    }
}

fn check_protocol(headers: &HeaderMap) -> Result<(), ApiError> {
    let spoken = headers
        .get(PROTOCOL_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u32>().ok());
    if spoken == Some(PROTOCOL) {
        return Ok(());
    }
    Err(ApiError::new(
        &codes::PROTOCOL_MISMATCH,
        format!("meta speaks protocol {PROTOCOL}: run both roles from the same version of aipress"),
    ))
}

impl Role {
    /// The shard of the path, if that is who calls.
    pub(crate) fn shard(&self, id: &str) -> Result<ShardId, ApiError> {
        match id.parse() {
            Ok(shard) if self.0 == id => Ok(shard),
            _ => Err(self.forbidden()),
        }
    }

    /// The edge's own name, if an edge calls.
    pub(crate) fn edge(&self) -> Result<&str, ApiError> {
        if self.0 == "edge" || self.0.starts_with("edge-") {
            Ok(&self.0)
        } else {
            Err(self.forbidden())
        }
    }

    fn forbidden(&self) -> ApiError {
        ApiError::new(&codes::FORBIDDEN, format!("this is not for the role `{}`", self.0))
    }
}
