//! Erases what was deleted more than 7 days ago, if the clock that says so is to be believed.

use std::sync::Arc;

use aipress_store::StoreError;

use crate::app::retention;
use crate::app::tenant::erase_due::erase_due;
use crate::plane::Plane;

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    if retention::is_held(&plane).await? {
        return Ok(());
    }
    erase_due(&plane).await.map(drop)
}
