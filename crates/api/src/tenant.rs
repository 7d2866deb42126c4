//! Tenants on the wire.

use aipress_types::AccountId;
use aipress_types::DesiredState;
use aipress_types::TenantMetadata;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::operation::OperationView;

/// What `POST /v1/tenants` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantCreate {
    /// The name, for ever: 3–40 characters of a-z, 0-9 and -.
    pub name: String,
    /// The account that owns it; the caller's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub account: Option<AccountId>,
    /// What people call it and how they group it.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub metadata: TenantMetadata,
    /// What it is asked to be.
    #[serde(default)]
    pub spec: TenantSpec,
}

fn is_empty(metadata: &TenantMetadata) -> bool {
    *metadata == TenantMetadata::default()
}

/// What `PATCH /v1/tenants/{id}` takes: JSON merge patches (RFC 7396).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantPatch {
    /// Fields of the spec to change; `null` takes one back to its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub spec: Option<serde_json::Value>,
    /// `displayName` and `labels` to change; `null` removes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub metadata: Option<serde_json::Value>,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    /// Never reused.
    pub uid: Uuid,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: Uuid,
    /// What people call it and how they group it.
    pub metadata: TenantMetadata,
    /// Where it is in its life.
    pub state: TenantState,
    /// Where it was asked to be.
    pub desired: DesiredState,
    /// What it was asked to be.
    pub spec: TenantSpec,
    /// Counts changes of what was asked for.
    pub generation: u64,
    /// The generation that is reality.
    pub observed_generation: u64,
    /// Counts placements.
    pub placement_epoch: u64,
    /// The shard that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Its slot there, 1-based.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Address of the site.
    pub url: String,
    /// Core version that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wordpress_version: Option<String>,
    /// What is wrong, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Changes with any write; for `If-Match`.
    pub etag: String,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub deleted_at: Option<OffsetDateTime>,
}

/// The answer 202: the change is recorded and under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The tenant as it is recorded now.
    pub tenant: TenantView,
    /// The operation to follow.
    pub operation: OperationView,
}
