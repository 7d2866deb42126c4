//! Erases what was deleted longer ago than it can be undeleted.

use aipress_store::StoreError;
use aipress_store::TenantRef;
use aipress_types::capacity::UNDELETE_WINDOW_S;
use time::Duration;

use crate::app::tenant::transition::Verb;
use crate::app::tenant::transition::apply;
use crate::change::Change;
use crate::change::Origin;
use crate::plane::Plane;

/// Tenants of one run; the next run takes the rest.
const BATCH: u32 = 100;

/// Asks for the erasure of every tenant whose time is over; how many.
pub(crate) async fn erase_due(plane: &Plane) -> Result<u32, StoreError> {
    let window = Duration::seconds(i64::try_from(UNDELETE_WINDOW_S).unwrap_or(i64::MAX));
    let before = plane.clock.now() - window;
    let mut asked = 0;
    for due in plane.store.tenants_due_erasure(before, BATCH).await? {
        let mut change = Change::begin(plane).await?;
        // Looked at again under the lock: it may have been undeleted meanwhile.
        let Some(tenant) = change.txn.tenant_fetch(&TenantRef::Uid(due.uid)).await? else {
            continue;
        };
        let over = tenant.deleted_at.is_some_and(|at| at <= before);
        if !over || Verb::Erase.check(tenant.desired, tenant.state).is_err() {
            continue;
        }
        apply(&mut change, &Origin::meta(), &tenant, Verb::Erase).await?;
        change.commit().await?;
        asked += 1;
        tracing::info!(tenant.uid = %due.uid, "undelete window over; erasing");
    }
    Ok(asked)
}
