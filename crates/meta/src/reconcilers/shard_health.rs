//! Tells the outbox when what is to be believed of a shard's health changes, silence included.
//! Placement needs none of this: it looks at the time of the last report itself.

use std::sync::Arc;

use aipress_store::EventInsert;
use aipress_store::StoreError;
use serde_json::Value;

use crate::app::shard::believed;
use crate::change::Change;
use crate::plane::Plane;

/// Kind of the event.
pub(crate) const KIND: &str = "shard.health";

/// Where the last told health of each shard is kept, so that a restart tells nothing twice.
const SETTING: &str = "shard_health_told";

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    let now = plane.clock.now();
    let mut current = serde_json::Map::new();
    for standing in plane.store.shard_facts().await? {
        let facts = believed(standing, plane.heard()).facts;
        current.insert(facts.id.to_string(), Value::from(facts.health.as_str()));
    }
    let told = plane.store.setting_fetch(SETTING).await?.unwrap_or(Value::Null);
    if told.as_object() == Some(&current) {
        return Ok(());
    }
    let mut change = Change::begin(&plane).await?;
    for (shard, health) in &current {
        if told.get(shard) == Some(health) {
            continue;
        }
        tracing::info!(shard.id = shard, health = health.as_str(), "shard health changed");
        let event = EventInsert {
            at: now,
            kind: KIND.to_owned(),
            tenant: None,
            shard: shard.parse().ok(),
            account: None,
            data: serde_json::json!({ "health": health, "before": told.get(shard) }),
        };
        change.tell(event).await?;
    }
    change.txn.setting_put(SETTING, &Value::Object(current), now).await?;
    change.commit().await
}
