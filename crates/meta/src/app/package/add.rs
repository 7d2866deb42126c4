//! An archive comes into the mirror: checked, put in its place, recorded.

use aipress_packages::Described;
use aipress_packages::Refusal;
use aipress_store::PackageFacts;
use aipress_store::PackageHolder;
use aipress_store::PackageRecord;
use aipress_store::PackageSighting;
use aipress_types::AccountId;
use aipress_types::PackageKind;

use crate::app::package;
use crate::app::plan::planner::Noted;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::change::Change;
use crate::change::Origin;
use crate::codes;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::PLATFORM_ADMIN;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;
use aipress_mirror::ACCOUNT_BYTES_MAX;
use aipress_mirror::Received;

/// Origin of what somebody uploaded.
const UPLOAD: &str = "upload";

/// Where an archive comes from, and for whom.
pub(super) struct Arrival<'a> {
    pub(super) origin: &'a Origin,
    /// Whose it is; `None` for everybody.
    pub(super) account: Option<AccountId>,
    /// `upload`, `wordpress.org`, or its address.
    pub(super) from: &'a str,
    /// What an origin that must not change its mind gave.
    pub(super) sighting: Option<PackageSighting>,
}

/// Takes an upload. What a platform-admin uploads is everybody's, anything else its account's.
pub(crate) async fn upload(
    scope: &Scope,
    received: Received,
    kind: Option<PackageKind>,
) -> Result<Answer, ApiError> {
    let caller = &scope.caller;
    authorize(caller, Action::PackageAdd, Resource::Account(caller.account.id))
        .map_err(|denied| denied.into_error("package", received.sha256()))?;
    let described = scope.plane.mirror.check(&received, kind).await.map_err(refused)?;
    let account = (caller.user.role != PLATFORM_ADMIN).then_some(caller.account.id);
    let arrival = Arrival { origin: &scope.origin, account, from: UPLOAD, sighting: None };
    let _turn = scope.plane.mirror.turn.lock().await;
    let mut change = Change::begin(&scope.plane).await?;
    let (new, record) = record(&mut change, &arrival, &received, described).await?;
    let noted = super::noted("package.add", &record, new);
    let size = format!("the archive ({} bytes, SHA-256 {})", received.size(), received.sha256());
    change.noted.push(Noted { not_kept: Some(size), ..noted });
    if scope.dry_run.is_none() {
        placed(&scope.plane, &received).await?;
    }
    let view = package::view(&record, visible_accounts(caller).as_deref());
    let answer = Answer {
        status: if new { 201 } else { 200 },
        body: package::encoded(&view)?,
        shown_once: None,
        tenant: None,
        operation: None,
    };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// The refusal of an archive in the words of the API.
pub(super) fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Io(error) => ApiError::internal("check an archive", &error),
        refusal => ApiError::new(&codes::PACKAGE_REFUSED, refusal.to_string()),
    }
}

/// Puts the archive in its place. Before the commit, so that no row is without its file; a file
/// without a row is found by the sweep.
pub(super) async fn placed(plane: &Plane, received: &Received) -> Result<(), ApiError> {
    plane
        .mirror
        .place(received)
        .await
        .map_err(|error| ApiError::internal("place an archive", &error))
}

/// Records the archive within the change. Whether its holder is new, and the record.
pub(super) async fn record(
    change: &mut Change<'_>,
    arrival: &Arrival<'_>,
    received: &Received,
    described: Described,
) -> Result<(bool, PackageRecord), ApiError> {
    let sha256 = received.sha256();
    refuse_conflict(change, arrival, sha256, &described).await?;
    let facts = PackageFacts {
        sha256: sha256.to_owned(),
        kind: described.kind,
        name: described.name,
        version: described.version,
        title: described.title,
        size: received.size(),
        requires: described.requires,
        requires_php: described.requires_php,
        tested: described.tested,
    };
    if let Some(account) = arrival.account {
        let held = change.txn.package_bytes(account).await?;
        if held + facts.size > ACCOUNT_BYTES_MAX {
            let most = ACCOUNT_BYTES_MAX / (1024 * 1024 * 1024);
            return Err(ApiError::new(
                &codes::PACKAGE_QUOTA,
                format!("an account has at most {most} GiB of archives: delete some first"),
            ));
        }
    }
    let holder = PackageHolder {
        account: arrival.account,
        origin: arrival.from.to_owned(),
        actor: arrival.origin.actor.clone(),
        added_at: change.now,
    };
    let new = change.txn.package_put(&facts, &holder).await?;
    if let Some(sighting) = &arrival.sighting {
        change.txn.package_sight(sighting, change.now).await?;
    }
    let Some(record) = change.txn.package_fetch(sha256).await? else {
        let missing = std::io::Error::other("is not there");
        return Err(ApiError::internal("package just written", &missing));
    };
    if new {
        package::note(change, arrival.origin, "package.add", &record, arrival.account).await?;
    }
    Ok((new, record))
}

/// Two archives of one version for the same people: nobody could say which one a site gets.
async fn refuse_conflict(
    change: &mut Change<'_>,
    arrival: &Arrival<'_>,
    sha256: &str,
    described: &Described,
) -> Result<(), ApiError> {
    let filter = aipress_store::PackageFilter {
        accounts: None,
        kind: Some(described.kind),
        name: Some(described.name.clone()),
        version: Some(described.version.clone()),
    };
    let page = aipress_store::PageRequest::first(aipress_store::PAGE_MAX);
    let same = change.txn.package_list(&filter, &page).await?.items;
    let other = same.iter().find(|record| {
        record.facts.sha256 != sha256
            && record.holders.iter().any(|holder| holder.account == arrival.account)
    });
    let Some(other) = other else { return Ok(()) };
    let Described { kind, name, version, .. } = described;
    Err(ApiError::new(
        &codes::PACKAGE_CONFLICT,
        format!(
            "the mirror has {kind} `{name}` {version} with other contents (sha256 {}): give this \
             one another version, or delete that one first",
            other.facts.sha256
        ),
    ))
}
