//! The audit log on the wire.

use aipress_api::AuditChainView;
use aipress_api::AuditCheckpointsSeen;
use aipress_api::AuditFault;
use aipress_api::AuditFindingView;
use aipress_api::AuditVerificationView;
use aipress_api::AuditView;
use aipress_audit::CheckpointError;
use aipress_audit::Seen;
use aipress_store::AuditFinding;
use aipress_store::AuditRecord;
use aipress_store::AuditVerification;
use aipress_types::TenantUid;
use serde_json::Value;

use crate::change::Change;
use crate::change::Note;
use crate::change::Origin;
use crate::change::Subject;
use crate::plane::Plane;
use crate::problem::ApiError;

/// An audit row.
pub(crate) fn view(row: AuditRecord) -> AuditView {
    let entry = row.entry;
    AuditView {
        // The registry counts rows of one federation; it will not pass 2^63.
        id: i64::try_from(row.id).unwrap_or(i64::MAX),
        at: entry.at,
        actor: entry.actor,
        on_behalf_of: entry.on_behalf_of,
        action: entry.action,
        resource: format!("{}:{}", entry.resource_kind, entry.resource_id),
        name: entry.resource_name,
        account: entry.account.map(|account| account.to_string()),
        request_id: entry.request_id,
        plan: entry.plan,
        before: entry.before,
        after: entry.after,
        reason: entry.reason,
        outcome: entry.outcome,
        chain: AuditChainView {
            seq: row.seq,
            link: hex::encode(row.link),
            payload_sha256: hex::encode(row.payload_sha256),
            salt: row.salt.map(hex::encode),
        },
    }
}

/// What is in the file of checkpoints, and what is wrong with it.
pub(crate) async fn checkpoints(plane: &Plane) -> Result<Seen, ApiError> {
    match plane.keeper.look(&plane.store).await {
        Ok(seen) => Ok(seen),
        Err(CheckpointError::Store(error)) => Err(error.into()),
        Err(error @ CheckpointError::File { .. }) => {
            tracing::error!(%error, "the file of checkpoints can't be read");
            let faults = vec!["can't be read: the log of meta says why".to_owned()];
            Ok(Seen { faults, ..Seen::default() })
        }
    }
}

/// What a look at chains found, beside what a look through the file of checkpoints did.
pub(crate) fn verification(seen: AuditVerification, file: Seen) -> AuditVerificationView {
    AuditVerificationView {
        whole: seen.faults == 0 && file.faults.is_empty(),
        checkpoints: AuditCheckpointsSeen {
            count: file.count,
            compared: seen.anchors,
            faults: file.faults,
        },
        chains: seen.heads.len() as u64,
        rows: seen.rows,
        erased: seen.erased,
        faults: seen.faults,
        findings: seen.findings.into_iter().map(finding).collect(),
    }
}

fn finding(found: AuditFinding) -> AuditFindingView {
    use aipress_store::AuditFault as Found;
    AuditFindingView {
        chain: found.chain,
        seq: found.seq,
        until: (found.until > found.seq).then_some(found.until),
        id: found.id,
        fault: match found.fault {
            Found::Changed => AuditFault::Changed,
            Found::Missing => AuditFault::Missing,
            Found::Added => AuditFault::Added,
            Found::CutOff => AuditFault::CutOff,
            Found::Rewritten => AuditFault::Rewritten,
            Found::Erased => AuditFault::Erased,
        },
    }
}

/// Writes down that somebody read what is secret in a site. Whoever can't be written down reads
/// nothing.
pub(crate) async fn note_read(
    plane: &Plane,
    origin: &Origin,
    tenant: TenantUid,
    action: &str,
    what: Value,
) -> Result<(), ApiError> {
    let mut change = Change::begin(plane).await?;
    let found = change.txn.tenant_fetch(&tenant.into()).await?;
    let found = found.ok_or_else(|| ApiError::not_found("tenant", &tenant.to_string()))?;
    let note = Note { action, before: None, after: Some(what) };
    change.audit(origin, Subject::tenant(&found), note).await?;
    Ok(change.commit().await?)
}
