//! Erases what was deleted more than 7 days ago.

use std::sync::Arc;

use aipress_store::StoreError;

use crate::app::tenant::erase_due::erase_due;
use crate::plane::Plane;

/// One run.
pub(crate) async fn reconcile(plane: Arc<Plane>) -> Result<(), StoreError> {
    erase_due(&plane).await.map(drop)
}
