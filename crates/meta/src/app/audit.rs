//! The audit log on the wire.

use aipress_api::AuditChainView;
use aipress_api::AuditFault;
use aipress_api::AuditFindingView;
use aipress_api::AuditVerificationView;
use aipress_api::AuditView;
use aipress_store::AuditFinding;
use aipress_store::AuditRecord;
use aipress_store::AuditVerification;

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

/// What a look at chains found.
pub(crate) fn verification(seen: AuditVerification) -> AuditVerificationView {
    AuditVerificationView {
        whole: seen.faults == 0,
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
