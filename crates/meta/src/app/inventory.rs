//! What sites have: taken from their shards, kept, and told when it changed.

mod updates;

use std::time::Duration;

use aipress_api::inventory::InventoryView;
use aipress_api::paths;
use aipress_api::wp::WpCommand;
use aipress_store::InventoryRecord;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::ShardId;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use http::Method;
use serde_json::Value;

use crate::app::plan::planner::Noted;
use crate::app::tenant;
use crate::app::wp;
use crate::change::Change;
use crate::change::Note;
use crate::change::Origin;
use crate::codes;
use crate::operations::shard_call;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// A look: the site's WordPress twice (once more without its own code), and its folder.
const TIMEOUT: Duration = Duration::from_secs(150);
/// Word of the event.
const KIND: &str = "tenant.inventory";

/// The last one.
pub(crate) async fn fetch(plane: &Plane, caller: &Caller, id: &str) -> Result<Value, ApiError> {
    let found = tenant::find(plane, caller, Action::TenantInventoryRead, id).await?;
    match of(plane, &found).await? {
        Some(record) => Ok(record.document),
        None => Err(ApiError::new(
            &codes::NOT_OBSERVED_YET,
            format!(
                "nobody has looked yet what `{}` has: its shard does within some minutes, and at \
                 once by POST …/inventory/refresh",
                found.name
            ),
        )),
    }
}

/// The last one of a tenant that the caller may see.
pub(crate) async fn of(
    plane: &Plane,
    tenant: &TenantRecord,
) -> Result<Option<InventoryRecord>, ApiError> {
    let Some(mut record) = plane.store.inventory_fetch(tenant.uid).await? else { return Ok(None) };
    updates::complete(plane, tenant.account, &mut record.document).await?;
    Ok(Some(record))
}

/// Looks now.
pub(crate) async fn refresh(
    plane: &Plane,
    caller: &Caller,
    origin: &Origin,
    id: &str,
) -> Result<Value, ApiError> {
    let found = tenant::find(plane, caller, Action::TenantInventoryRefresh, id).await?;
    let shard = wp::serving_shard(plane, &found).await?;
    let path = format!("{}/{}/inventory", paths::SHARD_TENANTS, found.uid);
    let view: InventoryView =
        shard_call::ask(plane, &shard.address, Method::POST, &path, &(), TIMEOUT)
            .await
            .map_err(|error| wp::refused(&found, &error))?;
    let mut change = Change::begin(plane).await?;
    let note = Note { action: "tenant.inventory_refresh", before: None, after: None };
    change.note_tenant(origin, &found, note).await?;
    let mut document = put(&mut change, &found, &view).await?;
    change.commit().await?;
    updates::complete(plane, found.account, &mut document).await?;
    Ok(document)
}

/// What a plan tells of a look.
pub(crate) async fn foresee(plane: &Plane, caller: &Caller, id: &str) -> Result<Noted, ApiError> {
    let found = tenant::find(plane, caller, Action::TenantInventoryRefresh, id).await?;
    let look =
        WpCommand { args: vec!["aipress".into(), "inventory".into()], ..WpCommand::default() };
    let runs = wp::run_of(plane, &found, &look).await?;
    Ok(Noted { action: "tenant.inventory_refresh".to_owned(), ..wp::noted(&found, runs) })
}

/// Takes what a shard has seen of a tenant of its own; what is of another's is dropped.
pub(crate) async fn take(
    plane: &Plane,
    shard: ShardId,
    uid: TenantUid,
    view: InventoryView,
) -> Result<(), ApiError> {
    let mut change = Change::begin(plane).await?;
    let found = change.txn.tenant_fetch(&TenantRef::Uid(uid)).await?;
    let Some(found) =
        found.filter(|found| found.shard == Some(shard) && found.state != TenantState::Erased)
    else {
        return Ok(());
    };
    put(&mut change, &found, &view).await?;
    change.commit().await?;
    Ok(())
}

async fn put(
    change: &mut Change<'_>,
    tenant: &TenantRecord,
    view: &InventoryView,
) -> Result<Value, ApiError> {
    let document = serde_json::to_value(view)
        .map_err(|error| ApiError::internal("encode an inventory", &error))?;
    let before = change.txn.inventory_fetch(tenant.uid).await?;
    let record = InventoryRecord {
        uid: tenant.uid,
        observed_at: view.observed_at,
        document: document.clone(),
    };
    let is_newer = change.txn.inventory_put(&record).await?;
    let is_news = before.is_none_or(|before| substance(&before.document) != substance(&document));
    if is_newer && is_news {
        change.tell_tenant(KIND, tenant).await?;
    }
    Ok(document)
}

/// What of an inventory is news when it changes: not when it was looked, nor who came by.
fn substance(document: &Value) -> Value {
    let mut site = document.get("site").cloned().unwrap_or(Value::Null);
    if let Some(site) = site.as_object_mut() {
        for passing in ["pluginsCheckedAt", "themesCheckedAt", "lastLoginAt", "content"] {
            site.remove(passing);
        }
    }
    serde_json::json!({ "site": site, "broken": document.get("site").is_none() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_visit_is_no_news_and_a_plugin_is() {
        let of = |version: &str, comments: u64| {
            json!({
                "observedAt": comments,
                "site": { "plugins": [{"version": version}], "content": {"comments": comments} },
            })
        };
        assert_eq!(substance(&of("1", 1)), substance(&of("1", 2)));
        assert_ne!(substance(&of("1", 1)), substance(&of("2", 1)));
        assert_ne!(substance(&of("1", 1)), substance(&json!({ "problems": ["broken"] })));
    }
}
