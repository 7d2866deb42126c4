//! Events of the platform on the wire: what happened, in the order in which it happened.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// One event. Its `id` is also its place: pass it as `after` to go on behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "4711", "at": "2026-11-21T12:00:00.123Z", "kind": "tenant.create",
    "tenant": "0b7d1c5e-52a9-4c1c-9a6c-6c1d1f7a3b10", "shard": "aipress-shard-001",
    "account": "7d3f2a10-5a51-4f7e-9b1c-0e6a4f1f2c33",
    "data": {"name": "bakery", "state": "creating", "desired": "active", "generation": 1},
}))]
pub struct EventView {
    /// Its place: opaque, never reused, good after restarts.
    pub id: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What happened, such as `tenant.create`.
    pub kind: String,
    /// Uid of the tenant that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Uuid>,
    /// The shard that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The account that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
    /// The rest, by kind; no secrets.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// A page of events, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"items": [], "nextCursor": "4711", "more": false}))]
pub struct EventPage {
    /// What is on this page.
    pub items: Vec<EventView>,
    /// Always there: pass it as `after` to go on, now or tomorrow.
    pub next_cursor: String,
    /// Whether there is more at once.
    pub more: bool,
}

/// A server-sent event as OpenAPI sees it: fields of text. Never made; only described.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"id": "4", "event": "step", "data": "{\"seq\":4,\"kind\":\"step\"}"}))]
pub struct ServerSentEvent {
    /// Its place, for `Last-Event-ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its kind, where a stream has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// JSON, as the endpoint says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}
