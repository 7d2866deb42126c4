//! An archive leaves the mirror, unless a site's spec means it.

use aipress_store::PackageRecord;
use aipress_store::PackageUse;
use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::PackageSource;
use aipress_types::PackageSpec;
use serde_json::Value;
use serde_json::json;

use crate::app::package;
use crate::app::plan::planner::Noted;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::change::Change;
use crate::codes;
use crate::policy::Action;
use crate::policy::PLATFORM_ADMIN;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;

/// Sites that are named in a refusal.
const SHOWN: usize = 5;

/// Takes the archive from whoever the caller may take it from: their own account, or everybody and
/// every account for a platform-admin.
pub(crate) async fn delete(scope: &Scope, sha256: &str) -> Result<Answer, ApiError> {
    let caller = &scope.caller;
    let _turn = scope.plane.mirror.turn.lock().await;
    let mut change = Change::begin(&scope.plane).await?;
    let found = change.txn.package_fetch(sha256).await?;
    let record = package::seen(found, caller, sha256)?;
    let own = caller.account.id;
    let taken: Vec<Option<AccountId>> = record
        .holders
        .iter()
        .map(|holder| holder.account)
        .filter(|account| caller.user.role == PLATFORM_ADMIN || *account == Some(own))
        .collect();
    // Everybody's is the platform's: whoever has nothing of it himself is told so.
    let resource = if taken.is_empty() { Resource::Platform } else { Resource::Account(own) };
    authorize(caller, Action::PackageDelete, resource)
        .map_err(|denied| denied.into_error("package", sha256))?;
    let uses = change.txn.package_uses(record.facts.kind, &record.facts.name).await?;
    refuse_used(&record, &uses, &taken)?;
    let holders = |of: &[Option<AccountId>]| -> Vec<Value> {
        of.iter()
            .map(|account| account.map_or(Value::from("everybody"), |id| id.0.to_string().into()))
            .collect()
    };
    let all: Vec<Option<AccountId>> = record.holders.iter().map(|holder| holder.account).collect();
    let rest: Vec<Option<AccountId>> =
        all.iter().copied().filter(|account| !taken.contains(account)).collect();
    let before = json!({ "sha256": sha256, "holders": holders(&all) });
    let after = (!rest.is_empty()).then(|| json!({ "sha256": sha256, "holders": holders(&rest) }));
    let noted = super::noted("package.delete", &record, false);
    change.noted.push(Noted { before: Some(before), after, ..noted });
    let mut left = 0;
    for account in taken {
        left = change.txn.package_take(sha256, account).await?;
        package::note(&mut change, &scope.origin, "package.delete", &record, account).await?;
    }
    let view = package::view(&record, visible_accounts(caller).as_deref());
    let answer = Answer {
        status: 200,
        body: package::encoded(&view)?,
        shown_once: None,
        tenant: None,
        operation: None,
    };
    scope.commit(change, &answer).await?;
    if left == 0 && scope.dry_run.is_none() {
        scope.plane.mirror.remove(sha256).await;
    }
    Ok(answer)
}

fn refuse_used(
    record: &PackageRecord,
    uses: &[PackageUse],
    taken: &[Option<AccountId>],
) -> Result<(), ApiError> {
    let everybody = taken.contains(&None);
    let users: Vec<&str> = uses
        .iter()
        .filter(|site| everybody || taken.contains(&Some(site.account)))
        .filter(|site| {
            let packages = match record.facts.kind {
                PackageKind::Plugin => &site.spec.plugins,
                PackageKind::Theme => &site.spec.themes,
            };
            packages.iter().any(|package| may_mean(package, record))
        })
        .map(|site| site.tenant.as_str())
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = users.iter().copied().take(SHOWN).collect();
    let more = if users.len() > SHOWN {
        format!(" and {} more", users.len() - SHOWN)
    } else {
        String::new()
    };
    Err(ApiError::new(
        &codes::PACKAGE_IN_USE,
        format!("the spec of {}{more} names it: change that first", shown.join(", ")),
    ))
}

/// Whether an entry of a spec may stand for this archive.
fn may_mean(package: &PackageSpec, record: &PackageRecord) -> bool {
    if package.name != record.facts.name {
        return false;
    }
    match PackageSource::parse(package.source.as_deref()) {
        Ok(source) => match source.pinned() {
            Some(sha256) => sha256 == record.facts.sha256,
            None => package.version.as_ref().is_none_or(|v| *v == record.facts.version),
        },
        // A source of a later version: rather kept than missed.
        Err(_) => true,
    }
}
