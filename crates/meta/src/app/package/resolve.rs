//! Which archive an entry of a spec means: in the mirror, or to be fetched into it first.

use std::cmp::Ordering;

use aipress_store::PackageRecord;
use aipress_store::StoreError;
use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::PackageSource;
use aipress_types::package::compare_versions;

use crate::plane::Plane;
use aipress_mirror::Job;

/// What is wanted, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Whose site it is for.
    pub(crate) account: AccountId,
    pub(crate) kind: PackageKind,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) source: PackageSource,
}

/// Where it is.
#[derive(Debug)]
pub(crate) enum Found {
    /// In the mirror.
    Here(Box<PackageRecord>),
    /// It has to be fetched; with something in the mirror that will do should that fail.
    Fetch(Job, Option<Box<PackageRecord>>),
    /// Nowhere; says what to do.
    Nowhere(String),
}

/// Looks for what is wanted. The network is not asked.
pub(crate) async fn look(plane: &Plane, wanted: &Wanted) -> Result<Found, StoreError> {
    let Wanted { account, kind, name, version, source } = wanted;
    if let Some(sha256) = source.pinned() {
        let held =
            plane.store.package_fetch(sha256).await?.filter(|record| usable(record, *account));
        return Ok(match (held, source) {
            (Some(record), _) => check_pinned(record, wanted),
            (None, PackageSource::Url { url, sha256 }) => Found::Fetch(
                Job::Url { url: url.clone(), sha256: sha256.clone(), account: Some(*account) },
                None,
            ),
            (None, _) => Found::Nowhere(format!(
                "the mirror has no archive {sha256} that this account may use: upload it with \
                 `aipress package add FILE`"
            )),
        });
    }
    let held = plane.store.package_candidates(*kind, name, *account).await?;
    let from_directory = *source == PackageSource::Directory;
    let best = best(held, wanted, from_directory).map(Box::new);
    let job = Job::Directory { kind: *kind, name: name.clone(), version: version.clone() };
    Ok(match (source, best) {
        // The newest of the directory may be newer than what is here.
        (PackageSource::Directory, best) if version.is_none() => Found::Fetch(job, best),
        (_, Some(best)) => Found::Here(best),
        (PackageSource::Mirror, None) => {
            let which = version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
            Found::Nowhere(format!(
                "the mirror has no {kind} `{name}`{which}: upload it with `aipress package add FILE`"
            ))
        }
        (_, None) => Found::Fetch(job, None),
    })
}

/// Whether an account may use an archive.
pub(crate) fn usable(record: &PackageRecord, account: AccountId) -> bool {
    record.holders.iter().any(|holder| holder.account.is_none_or(|holder| holder == account))
}

/// The archive that a checksum names must be what the entry says it is.
pub(crate) fn check_pinned(record: PackageRecord, wanted: &Wanted) -> Found {
    let facts = &record.facts;
    let fits = facts.kind == wanted.kind
        && facts.name == wanted.name
        && wanted.version.as_ref().is_none_or(|version| *version == facts.version);
    if fits {
        return Found::Here(Box::new(record));
    }
    let which = wanted.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    Found::Nowhere(format!(
        "the archive holds {} `{}` {}, not {} `{}`{which}: correct the entry's name or version, or \
         its source",
        facts.kind, facts.name, facts.version, wanted.kind, wanted.name
    ))
}

/// The version that is wanted, or the newest. An account's own goes before everybody's.
pub(crate) fn best(
    held: Vec<PackageRecord>,
    wanted: &Wanted,
    from_directory: bool,
) -> Option<PackageRecord> {
    let own = |record: &PackageRecord| {
        record.holders.iter().any(|holder| holder.account == Some(wanted.account))
    };
    held.into_iter()
        .filter(|record| {
            wanted.version.as_ref().is_none_or(|version| *version == record.facts.version)
        })
        .filter(|record| {
            !from_directory
                || record.holders.iter().any(|holder| {
                    holder.account.is_none() && holder.origin == aipress_mirror::ORIGIN_DIRECTORY
                })
        })
        .max_by(|left, right| match compare_versions(&left.facts.version, &right.facts.version) {
            Ordering::Equal => own(left).cmp(&own(right)),
            order => order,
        })
}
