//! Secrets of a site on the wire: which there are, never what they are.

use serde::Deserialize;
use serde::Serialize;

/// A kind of secret that a site has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SecretKind {
    /// The password of its database user.
    Database,
    /// The password of its Redis user.
    Cache,
    /// WordPress's keys and salts, which sign cookies.
    Salts,
}

impl SecretKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Database, Self::Cache, Self::Salts];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Salts => "salts",
        }
    }
}

impl std::str::FromStr for SecretKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no kind of secret: database, cache or salts"))
    }
}

/// What `POST /v1/tenants/{id}/rotate-secrets` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"only": ["database", "cache"]}))]
pub struct RotateSecrets {
    /// Only these; all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<SecretKind>,
}
