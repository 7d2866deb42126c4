//! One mutation on its way: who asks, under which conditions, and how its result becomes durable
//! together with it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use aipress_kit::faults;
use aipress_store::IdempotencyClaim;
use aipress_store::IdempotencyFinish;
use aipress_types::OperationId;
use aipress_types::TenantUid;
use serde_json::Value;

use crate::app::plan::planner::Noted;
use crate::change::Change;
use crate::change::Origin;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;
use crate::problem::etag_mismatch;
use crate::problem::exists;

/// What must hold for a change to be made (RFC 9110 sections 13.1.1 and 13.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `If-Match: *`: it exists.
    Exists,
    /// `If-Match`: it has one of these strong etags.
    Etags(Vec<String>),
    /// `If-None-Match: *`: it does not exist.
    Absent,
}

/// A mutation under way.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) plane: Arc<Plane>,
    pub(crate) caller: Caller,
    pub(crate) origin: Origin,
    pub(crate) condition: Option<Condition>,
    pub(crate) claim: Option<IdempotencyClaim>,
    /// Where a dry run leaves what it would have done; `None` for the real thing.
    pub(crate) dry_run: Option<Mutex<Vec<Noted>>>,
}

/// What a mutation is answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body that is kept for a replay: free of secrets.
    pub(crate) body: Value,
    /// The body that is shown this once, where it has a secret.
    pub(crate) shown_once: Option<Value>,
    /// The tenant that it is about.
    pub(crate) tenant: Option<TenantUid>,
    /// The operation that it began.
    pub(crate) operation: Option<OperationId>,
}

impl Scope {
    /// Whether the caller's condition holds for a resource of this etag, which is there.
    pub(crate) fn check_etag(&self, current: &str) -> Result<(), ApiError> {
        match &self.condition {
            Some(Condition::Etags(wanted)) if !wanted.iter().any(|etag| etag == current) => {
                Err(etag_mismatch(current))
            }
            Some(Condition::Absent) => Err(exists(current)),
            _ => Ok(()),
        }
    }

    /// Makes the change durable together with its answer, so that a repeated request finds both
    /// or neither.
    pub(crate) async fn commit(
        &self,
        mut change: Change<'_>,
        answer: &Answer,
    ) -> Result<(), ApiError> {
        if let Some(noted) = &self.dry_run {
            // Dropped without a commit: all of it is rolled back.
            noted.lock().unwrap_or_else(PoisonError::into_inner).append(&mut change.noted);
            return Ok(());
        }
        if let Some(claim) = &self.claim {
            let finish = IdempotencyFinish {
                status: answer.status,
                body: answer.body.clone(),
                showed_secret: answer.shown_once.is_some(),
                tenant: answer.tenant,
                operation: answer.operation,
            };
            let now = change.now;
            change.txn.idempotency_finish(claim, &finish, now).await?;
        }
        faults::point("meta.change.before");
        change.commit().await?;
        faults::point("meta.change.after");
        Ok(())
    }
}
