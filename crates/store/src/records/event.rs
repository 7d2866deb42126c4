//! The outbox: events, written in the transaction of the change that they tell of, read by
//! cursors that survive restarts.

use aipress_types::AccountId;
use aipress_types::ShardId;
use aipress_types::TenantUid;
use serde_json::Value;
use time::OffsetDateTime;

/// An event to append.
#[derive(Debug, Clone, PartialEq)]
pub struct EventInsert {
    /// When.
    pub at: OffsetDateTime,
    /// What happened, such as `tenant.created`.
    pub kind: String,
    /// The tenant that it is about.
    pub tenant: Option<TenantUid>,
    /// The shard that it is about.
    pub shard: Option<ShardId>,
    /// The account that may see it.
    pub account: Option<AccountId>,
    /// The rest; no secrets.
    pub data: Value,
}

/// An event of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// Its number: counts upwards in the order of commits and is never reused.
    pub id: u64,
    /// What happened.
    pub event: EventInsert,
}

/// Which events are wanted; every field that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Only these accounts; `None` for all, and events without an account only then.
    pub accounts: Option<Vec<AccountId>>,
    /// Only this tenant.
    pub tenant: Option<TenantUid>,
    /// Only this shard.
    pub shard: Option<ShardId>,
    /// Only these kinds: a word as it is, or one that ends in `*` for all that begin so; empty for
    /// all.
    pub kinds: Vec<String>,
}

impl EventFilter {
    /// Whether an event is wanted: the same as the registry's own reading of the filter.
    pub fn fits(&self, event: &EventInsert) -> bool {
        let seen = match (&self.accounts, event.account) {
            (None, _) => true,
            (Some(accounts), Some(account)) => accounts.contains(&account),
            (Some(_), None) => false,
        };
        seen && self.tenant.is_none_or(|uid| event.tenant == Some(uid))
            && self.shard.is_none_or(|shard| event.shard == Some(shard))
            && (self.kinds.is_empty()
                || self.kinds.iter().any(|kind| match kind.strip_suffix('*') {
                    Some(prefix) => event.kind.starts_with(prefix),
                    None => event.kind == *kind,
                }))
    }
}
