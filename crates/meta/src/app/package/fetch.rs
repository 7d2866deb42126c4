//! The mirror gets an archive by itself: from the directory or an address, for a shard that asked or
//! a person who wants it in advance.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::PackageFetch;
use aipress_api::internal::PackageResolved;
use aipress_store::PackageRecord;
use aipress_store::PackageSighting;
use aipress_store::StoreError;
use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::PackageSource;
use aipress_types::PackageSpec;
use serde_json::Value;

use crate::app::package as packages;
use crate::app::package::add;
use crate::app::package::add::Arrival;
use crate::app::package::resolve;
use crate::app::package::resolve::Found;
use crate::app::package::resolve::Wanted;
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
use aipress_mirror::DownloadError;
use aipress_mirror::Failed;
use aipress_mirror::Job;
use aipress_mirror::ORIGIN_DIRECTORY;
use aipress_mirror::Outcome;
use aipress_mirror::Received;
use aipress_mirror::download;

/// How long a shard's question waits: most archives are there within it, and no worker of the shard
/// is held up for longer.
const SHARD_PATIENCE: Duration = Duration::from_secs(3);
/// How long a person waits: longer than any download may take.
const PERSON_PATIENCE: Duration = Duration::from_secs(120);

/// Answers a shard.
pub(crate) async fn resolve(
    plane: &Arc<Plane>,
    wanted: &Wanted,
) -> Result<PackageResolved, StoreError> {
    Ok(match settle(plane, wanted, SHARD_PATIENCE).await? {
        Settled::Here(record) => PackageResolved::Ready {
            sha256: record.facts.sha256,
            version: record.facts.version,
            size: record.facts.size,
        },
        Settled::Underway => PackageResolved::Fetching,
        Settled::Failed(Failed { detail, later }) => PackageResolved::Refused { detail, later },
    })
}

/// Answers a person: `POST /v1/packages/fetch`.
pub(crate) async fn fetch(scope: &Scope, body: PackageFetch) -> Result<Answer, ApiError> {
    let caller = &scope.caller;
    authorize(caller, Action::PackageFetch, Resource::Account(caller.account.id))
        .map_err(|denied| denied.into_error("package", &body.name))?;
    let entry = PackageSpec {
        name: body.name.clone(),
        version: body.version.clone(),
        source: body.source.clone(),
        active: None,
    };
    packages::check_entry(body.kind, &entry)?;
    let source = match PackageSource::parse(body.source.as_deref()) {
        // In advance is what this is for: the directory is asked although the mirror has some.
        Ok(PackageSource::Any | PackageSource::Directory) => PackageSource::Directory,
        Ok(source @ PackageSource::Url { .. }) => source,
        _ => {
            return Err(ApiError::field(
                "/source",
                "the mirror can get archives from `wordpress.org` and from \
                 `https://…#sha256=<64 hex digits>`; upload others",
            ));
        }
    };
    let account = caller.account.id;
    let wanted =
        Wanted { account, kind: body.kind, name: body.name, version: body.version, source };
    if scope.dry_run.is_some() {
        return foresee(scope, &wanted).await;
    }
    let record =
        match settle_for(&scope.plane, &wanted, caller_holds(scope), PERSON_PATIENCE).await? {
            Settled::Here(record) => record,
            Settled::Underway => {
                return Err(ApiError::new(
                    &codes::PACKAGE_UNAVAILABLE,
                    "it is still being fetched: ask again in a minute",
                ));
            }
            Settled::Failed(Failed { detail, later: true }) => {
                return Err(ApiError::new(&codes::PACKAGE_UNAVAILABLE, detail));
            }
            Settled::Failed(Failed { detail, later: false }) => {
                return Err(ApiError::new(&codes::PACKAGE_REFUSED, detail));
            }
        };
    let mut change = Change::begin(&scope.plane).await?;
    packages::note(&mut change, &scope.origin, "package.fetch", &record, Some(account)).await?;
    let view = packages::view(&record, visible_accounts(caller).as_deref());
    let answer = Answer {
        status: 200,
        body: packages::encoded(&view)?,
        shown_once: None,
        tenant: None,
        operation: None,
    };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Says what [`fetch`] would do. The network is not asked.
async fn foresee(scope: &Scope, wanted: &Wanted) -> Result<Answer, ApiError> {
    let Wanted { kind, name, version, source, .. } = wanted;
    let which = version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    let mut noted = Noted {
        action: "package.fetch".to_owned(),
        kind: "package",
        name: format!("{kind} {name}{which}"),
        ..Noted::default()
    };
    match resolve::look(&scope.plane, wanted).await? {
        Found::Here(record) => noted = packages::noted("package.fetch", &record, false),
        Found::Nowhere(detail) => return Err(ApiError::new(&codes::PACKAGE_REFUSED, detail)),
        Found::Fetch(_, held) => {
            let from = match source {
                PackageSource::Url { url, .. } => url.as_str(),
                _ => ORIGIN_DIRECTORY,
            };
            let newest = version.as_deref().unwrap_or("the newest");
            noted.after = Some(serde_json::json!({ "version": newest, "from": from }));
            noted.before = held.map(|held| serde_json::json!({ "version": held.facts.version }));
        }
    }
    let mut change = Change::begin(&scope.plane).await?;
    change.noted.push(noted);
    let answer =
        Answer { status: 200, body: Value::Null, shown_once: None, tenant: None, operation: None };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Whom an archive from an address is fetched for.
fn caller_holds(scope: &Scope) -> Option<AccountId> {
    let caller = &scope.caller;
    (caller.user.role != PLATFORM_ADMIN).then_some(caller.account.id)
}

enum Settled {
    Here(PackageRecord),
    Underway,
    Failed(Failed),
}

async fn settle(
    plane: &Arc<Plane>,
    wanted: &Wanted,
    patience: Duration,
) -> Result<Settled, StoreError> {
    settle_for(plane, wanted, Some(wanted.account), patience).await
}

async fn settle_for(
    plane: &Arc<Plane>,
    wanted: &Wanted,
    holder: Option<AccountId>,
    patience: Duration,
) -> Result<Settled, StoreError> {
    let (job, fallback) = match resolve::look(plane, wanted).await? {
        Found::Here(record) => return Ok(Settled::Here(*record)),
        Found::Nowhere(detail) => return Ok(Settled::Failed(Failed { detail, later: false })),
        Found::Fetch(mut job, fallback) => {
            if let Job::Url { account, .. } = &mut job {
                *account = holder;
            }
            (job, fallback)
        }
    };
    let work = || {
        let (plane, job) = (Arc::clone(plane), job.clone());
        async move { run(&plane, &job).await }
    };
    let outcome = plane.mirror.fetches.outcome(&job, wanted.account, patience, work).await;
    Ok(match (outcome, fallback) {
        (None, _) => Settled::Underway,
        (Some(Ok(sha256)), _) => match plane.store.package_fetch(&sha256).await? {
            Some(record) => match resolve::check_pinned(record, wanted) {
                Found::Here(record) => Settled::Here(*record),
                Found::Nowhere(detail) => Settled::Failed(Failed { detail, later: false }),
                Found::Fetch(..) => Settled::Underway,
            },
            // Deleted in this very moment: asked again, it is fetched again.
            None => Settled::Underway,
        },
        (Some(Err(failed)), Some(held)) if failed.later => {
            tracing::warn!(detail = failed.detail, "the mirror's newest is taken instead");
            Settled::Here(*held)
        }
        (Some(Err(failed)), _) => Settled::Failed(failed),
    })
}

/// Does a job, to its end.
pub(crate) async fn run(plane: &Plane, job: &Job) -> Outcome {
    let outcome = match job {
        Job::Directory { kind, name, version } => {
            from_directory(plane, *kind, name, version.as_deref()).await
        }
        Job::Url { url, sha256, account } => from_url(plane, url, sha256, *account).await,
    };
    if let Err(failed) = &outcome {
        tracing::warn!(?job, detail = failed.detail, "an archive could not be fetched");
    }
    outcome
}

async fn from_directory(
    plane: &Plane,
    kind: PackageKind,
    name: &str,
    version: Option<&str>,
) -> Outcome {
    let mirror = &plane.mirror;
    let listed = mirror.directory.look(kind, name, version).await.map_err(|error| Failed {
        later: error.may_work_later(),
        detail: format!("{error}{}", error.advice()),
    })?;
    let known = plane
        .store
        .package_sighting(ORIGIN_DIRECTORY, kind, name, &listed.version)
        .await
        .map_err(registry)?;
    // What the mirror has of that version need not come again.
    if let Some(sha256) = &known
        && plane.store.package_exists(sha256).await.map_err(registry)?
    {
        return Ok(sha256.clone());
    }
    let http = mirror.directory.client_for(&listed.url, mirror.fetches.outside());
    let received = download(http, &listed.url, mirror.dir())
        .await
        .map_err(|error| not_downloaded("the directory of WordPress.org", &error))?;
    if let Some(known) = known
        && known != received.sha256()
    {
        return Err(Failed {
            detail: format!(
                "the directory of WordPress.org gives other contents for {kind} `{name}` {} than \
                 when it was first seen (sha256 {} now, {known} then): somebody may have tampered \
                 with it",
                listed.version,
                received.sha256()
            ),
            later: false,
        });
    }
    let sighting = PackageSighting {
        origin: ORIGIN_DIRECTORY.to_owned(),
        kind,
        name: name.to_owned(),
        version: listed.version.clone(),
        sha256: received.sha256().to_owned(),
    };
    let described = mirror.check(&received, Some(kind)).await.map_err(|refusal| Failed {
        detail: format!("the directory's archive of `{name}` is not taken: {refusal}"),
        later: false,
    })?;
    if described.name != name || described.version != listed.version {
        return Err(Failed {
            detail: format!(
                "the directory gave `{}` {} for {kind} `{name}` {}",
                described.name, described.version, listed.version
            ),
            later: false,
        });
    }
    let origin = Origin::meta();
    let arrival = Arrival {
        origin: &origin,
        account: None,
        from: ORIGIN_DIRECTORY,
        sighting: Some(sighting),
    };
    keep(plane, &arrival, &received, described).await
}

async fn from_url(plane: &Plane, url: &str, sha256: &str, account: Option<AccountId>) -> Outcome {
    let mirror = &plane.mirror;
    let received = download(mirror.fetches.outside(), url, mirror.dir())
        .await
        .map_err(|error| not_downloaded(url, &error))?;
    if received.sha256() != sha256 {
        return Err(Failed {
            detail: format!(
                "what is at {url} has the SHA-256 {}, not {sha256}: it changed, or somebody \
                 tampered with it",
                received.sha256()
            ),
            later: false,
        });
    }
    let described = mirror.check(&received, None).await.map_err(|refusal| Failed {
        detail: format!("the archive at {url} is not taken: {refusal}"),
        later: false,
    })?;
    let origin = Origin::meta();
    let arrival = Arrival { origin: &origin, account, from: url, sighting: None };
    keep(plane, &arrival, &received, described).await
}

async fn keep(
    plane: &Plane,
    arrival: &Arrival<'_>,
    received: &Received,
    described: aipress_packages::Described,
) -> Outcome {
    let kept = async {
        let _turn = plane.mirror.turn.lock().await;
        let mut change = Change::begin(plane).await?;
        add::record(&mut change, arrival, received, described).await?;
        add::placed(plane, received).await?;
        change.commit().await?;
        Ok::<(), ApiError>(())
    };
    match kept.await {
        Ok(()) => Ok(received.sha256().to_owned()),
        Err(error) => {
            Err(Failed { later: error.is_our_fault(), detail: error.detail().to_owned() })
        }
    }
}

fn not_downloaded(from: &str, error: &DownloadError) -> Failed {
    Failed {
        detail: format!(
            "the archive can't be had from {from}: {error}; it can also be uploaded with `aipress \
             package add FILE`"
        ),
        later: error.may_work_later(),
    }
}

fn registry(error: StoreError) -> Failed {
    Failed { detail: error.to_string(), later: true }
}
