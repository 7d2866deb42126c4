//! The tenant document: one tenant as people keep it in files. Its JSON Schema is
//! `schema/tenant.json`; what each field does is in `docs/FIELDS.md`.

use std::collections::BTreeMap;

use aipress_types::AccountId;
use aipress_types::DesiredState;
use aipress_types::TenantMetadata;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A tenant as a document: what `GET /v1/tenants/{id}/document` shows and
/// `PUT /v1/tenants/{id}` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantDocument {
    /// Form of the document.
    pub api_version: ApiVersion,
    /// What it is about.
    pub kind: DocumentKind,
    /// Whose it is and what people call it.
    pub metadata: DocumentMetadata,
    /// What the site is asked to be.
    #[serde(default)]
    pub spec: TenantSpec,
    /// What was seen of it. Printed, never read: what was printed can be applied as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, read_only)]
    pub status: Option<Value>,
}

/// Form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub enum ApiVersion {
    /// The first.
    #[default]
    #[serde(rename = "aipress.io/v1")]
    V1,
}

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub enum DocumentKind {
    /// A site.
    #[default]
    Tenant,
}

/// Whose a tenant is and what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DocumentMetadata {
    /// The name, for ever: 3–40 characters of a-z, 0-9 and -.
    #[schema(min_length = 3, max_length = 40, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])$")]
    pub name: String,
    /// What people call it: 1 to 80 characters. The name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 80)]
    pub display_name: Option<String>,
    /// Labels to find and group it by, at most 32 (`aipress tenant list --label team=shops`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The account that owns it; the caller's own when left out. Set once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub account: Option<AccountId>,
}

impl DocumentMetadata {
    /// What can be changed of it.
    pub fn changeable(&self) -> TenantMetadata {
        TenantMetadata { display_name: self.display_name.clone(), labels: self.labels.clone() }
    }
}

/// What was seen of a tenant, in its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// Never reused.
    pub uid: Uuid,
    /// Where it is in its life.
    pub state: TenantState,
    /// Where it was asked to be.
    pub desired: DesiredState,
    /// What is wrong, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Address of the site.
    pub url: String,
    /// Core version that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wordpress_version: Option<String>,
    /// The shard that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Its slot there, 1-based.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Counts changes of what was asked for.
    pub generation: u64,
    /// The generation that is reality.
    pub observed_generation: u64,
    /// Changes with any write; for `If-Match`.
    pub etag: String,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}
