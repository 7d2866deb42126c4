//! Webhooks: addresses that are told of events, and the deliveries to them.

use aipress_types::AccountId;
use aipress_types::DeliveryId;
use aipress_types::ShardId;
use aipress_types::TenantUid;
use aipress_types::WebhookId;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// A webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookRecord {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is, and whose events it is told.
    pub account: AccountId,
    /// Where it is told.
    pub url: String,
    /// What it is for, in the owner's words.
    pub description: String,
    /// Only these kinds, as in an event filter; empty for all.
    pub kinds: Vec<String>,
    /// Only this tenant.
    pub tenant: Option<TenantUid>,
    /// Only this shard.
    pub shard: Option<ShardId>,
    /// Events of all accounts.
    pub platform: bool,
    /// Whether anything is delivered.
    pub active: bool,
    /// Why it is paused.
    pub message: Option<String>,
    /// Since when no delivery has succeeded.
    pub failing_since: Option<OffsetDateTime>,
    /// Events up to this number have their deliveries.
    pub position: u64,
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// The secret before, sealed, while it still counts.
    pub sealed_previous: Option<Vec<u8>>,
    /// Until when it counts.
    pub previous_until: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it changed last.
    pub updated_at: OffsetDateTime,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// To be sent, or sent again.
    Pending,
    /// Taken by the endpoint.
    Delivered,
    /// Given up.
    Failed,
}

impl DeliveryState {
    /// The word in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRecord {
    /// The same for every attempt.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// The event's number; `None` for a test.
    pub event: Option<u64>,
    /// The event's kind.
    pub kind: String,
    /// What is sent, byte for byte.
    pub body: String,
    /// Where it is.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: u32,
    /// When the next one is due.
    pub next_at: Option<OffsetDateTime>,
    /// An entry for each attempt.
    pub log: Vec<Value>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was delivered or given up.
    pub finished_at: Option<OffsetDateTime>,
}

/// Which deliveries of a webhook are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this webhook.
    pub webhook: WebhookId,
    /// Only in this state.
    pub state: Option<DeliveryState>,
}
