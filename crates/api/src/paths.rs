//! Paths of the APIs, in one place for servers and clients.

/// Tenants: `POST`, `GET`; one of them below.
pub const TENANTS: &str = "/v1/tenants";
/// Plans.
pub const PLANS: &str = "/v1/plans";
/// JSON Schemas of documents.
pub const SCHEMAS: &str = "/v1/schemas";
/// Exports: one of them below.
pub const EXPORTS: &str = "/v1/exports";
/// Imports: `POST`; one of them below.
pub const IMPORTS: &str = "/v1/imports";
/// Shards.
pub const SHARDS: &str = "/v1/shards";
/// Projects.
pub const PROJECTS: &str = "/v1/projects";
/// Operations.
pub const OPERATIONS: &str = "/v1/operations";
/// Events, as pages and as a stream.
pub const EVENTS: &str = "/v1/events";
/// Plugins and themes in the mirror.
pub const PACKAGES: &str = "/v1/packages";
/// Audit rows.
pub const AUDIT: &str = "/v1/audit";
/// Webhooks; one of them, its deliveries and verbs below.
pub const WEBHOOKS: &str = "/v1/webhooks";
/// Who the caller is.
pub const ME: &str = "/v1/me";
/// Health.
pub const HEALTH: &str = "/v1/health";
/// Prometheus metrics.
pub const METRICS: &str = "/v1/metrics";

/// Between roles: the archive that a site is made of (`…/{id}/data`).
pub const INTERNAL_IMPORTS: &str = "/internal/v1/imports";
/// Between roles: intents of one shard (`/internal/v1/shards/{id}/intents`).
pub const INTERNAL_SHARDS: &str = "/internal/v1/shards";
/// Between roles: archives of plugins and themes.
pub const INTERNAL_PACKAGES: &str = "/internal/v1/packages";
/// Between roles: the route table for edges.
pub const INTERNAL_ROUTES: &str = "/internal/v1/routes";

/// Of a shard's control plane: intents pushed by meta (`PUT /v1/intents/{uid}`).
pub const SHARD_INTENTS: &str = "/v1/intents";
/// Of a shard's control plane: archives of its sites (`PUT /v1/exports/{id}`, `…/{id}/data`).
pub const SHARD_EXPORTS: &str = "/v1/exports";
/// Of a shard's control plane: the gateway's table of sites.
pub const SHARD_SITES: &str = "/v1/sites";
/// Of a shard's control plane: all that exists, for `doctor --inventory`.
pub const SHARD_INVENTORY: &str = "/v1/inventory";
/// Of a shard's control plane: one-time login tokens (`POST /v1/tenants/{uid}/login-token`).
pub const SHARD_TENANTS: &str = "/v1/tenants";
