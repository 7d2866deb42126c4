//! Plugins and themes in the mirror: who sees which, how they are found, added and removed, and which
//! one a spec means.

pub(crate) mod add;
pub(crate) mod delete;
pub(crate) mod fetch;
pub(crate) mod newest;
pub(crate) mod resolve;

use aipress_api::PackageHolderView;
use aipress_api::PackageView;
use aipress_store::PackageHolder;
use aipress_store::PackageRecord;
use aipress_store::StoreError;
use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use aipress_types::package::check;
use serde_json::Value;

use crate::app::plan::planner::Noted;
use crate::change::Change;
use crate::change::Origin;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

/// An archive on the wire, with the holders that `accounts` may see (`None`: all).
pub(crate) fn view(record: &PackageRecord, accounts: Option<&[AccountId]>) -> PackageView {
    let facts = record.facts.clone();
    PackageView {
        sha256: facts.sha256,
        kind: facts.kind,
        name: facts.name,
        version: facts.version,
        title: facts.title,
        size: facts.size,
        requires: facts.requires,
        requires_php: facts.requires_php,
        tested: facts.tested,
        first_seen: record.first_seen,
        holders: record
            .holders
            .iter()
            .filter(|holder| is_visible(holder, accounts))
            .map(|holder| PackageHolderView {
                account: holder.account.map(|account| account.0),
                origin: holder.origin.clone(),
                actor: holder.actor.clone(),
                added_at: holder.added_at,
            })
            .collect(),
    }
}

fn is_visible(holder: &PackageHolder, accounts: Option<&[AccountId]>) -> bool {
    match (holder.account, accounts) {
        (None, _) | (_, None) => true,
        (Some(account), Some(accounts)) => accounts.contains(&account),
    }
}

/// Complaints about one entry that is given by itself, with pointers of its own.
pub(crate) fn check_entry(kind: PackageKind, entry: &PackageSpec) -> Result<(), ApiError> {
    let mut complaints = check(kind, std::slice::from_ref(entry), "");
    for complaint in &mut complaints {
        complaint.pointer = complaint.pointer.trim_start_matches("/0").to_owned();
    }
    if complaints.is_empty() { Ok(()) } else { Err(ApiError::fields(complaints)) }
}

/// The archive with this SHA-256, if the caller may see it.
pub(crate) async fn find(
    plane: &Plane,
    caller: &Caller,
    sha256: &str,
) -> Result<PackageRecord, ApiError> {
    seen(plane.store.package_fetch(sha256).await?, caller, sha256)
}

fn seen(
    found: Option<PackageRecord>,
    caller: &Caller,
    sha256: &str,
) -> Result<PackageRecord, ApiError> {
    let accounts = visible_accounts(caller);
    found
        .filter(|record| {
            record.holders.iter().any(|holder| is_visible(holder, accounts.as_deref()))
        })
        .ok_or_else(|| ApiError::not_found("package", sha256))
}

/// Writes the audit row and the event of a change of the mirror.
async fn note(
    change: &mut Change<'_>,
    origin: &Origin,
    action: &str,
    record: &PackageRecord,
    account: Option<AccountId>,
) -> Result<(), StoreError> {
    let facts = &record.facts;
    let data = serde_json::json!({
        "sha256": facts.sha256,
        "kind": facts.kind,
        "name": facts.name,
        "version": facts.version,
        "size": facts.size,
    });
    let name = format!("{} {} {}", facts.kind, facts.name, facts.version);
    change.note_package(origin, action, (&facts.sha256, &name), account, data).await
}

/// What a plan tells of an archive that comes; of one that is there already, that nothing changes.
fn noted(action: &str, record: &PackageRecord, is_new: bool) -> Noted {
    let facts = &record.facts;
    let after = is_new.then(|| {
        serde_json::json!({
            "sha256": facts.sha256,
            "version": facts.version,
            "bytes": facts.size,
        })
    });
    Noted {
        action: action.to_owned(),
        kind: "package",
        name: format!("{} {} {}", facts.kind, facts.name, facts.version),
        after,
        ..Noted::default()
    }
}

fn encoded(view: &PackageView) -> Result<Value, ApiError> {
    serde_json::to_value(view).map_err(|error| ApiError::internal("encode package", &error))
}
