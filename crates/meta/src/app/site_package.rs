//! Plugins and themes of one site, one by one: each change is a change of the site's document, so
//! that document and site never tell two stories.

use std::cmp::Ordering;

use aipress_api::SitePackageUpdate;
use aipress_api::SitePackageView;
use aipress_api::inventory::InventoryItemView;
use aipress_api::inventory::InventoryView;
use aipress_store::InventoryRecord;
use aipress_store::TenantRecord;
use aipress_types::PackageKind;
use aipress_types::PackageSource;
use aipress_types::PackageSpec;
use aipress_types::TenantSpec;
use aipress_types::intent::PackageRef;
use aipress_types::package::compare_versions;

use crate::app::inventory;
use crate::app::package::check_entry;
use crate::app::package::newest;
use crate::app::package::resolve::Wanted;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::app::tenant::update;
use crate::change::Change;
use crate::codes;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// All of a site: what its document names first, then what else was seen.
pub(crate) async fn list(
    plane: &Plane,
    caller: &Caller,
    kind: PackageKind,
    id: &str,
) -> Result<Vec<SitePackageView>, ApiError> {
    let found = tenant::find(plane, caller, Action::TenantPackageRead, id).await?;
    let seen = Seen::of(inventory::of(plane, &found).await?, kind);
    let mut names: Vec<&str> =
        entries(&found.spec, kind).iter().map(|entry| entry.name.as_str()).collect();
    for item in &seen.items {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(&item.name)) {
            names.push(&item.name);
        }
    }
    Ok(names.into_iter().map(|name| view(&found, kind, &seen, name)).collect())
}

/// One of them.
pub(crate) async fn show(
    plane: &Plane,
    caller: &Caller,
    kind: PackageKind,
    id: &str,
    name: &str,
) -> Result<SitePackageView, ApiError> {
    let found = tenant::find(plane, caller, Action::TenantPackageRead, id).await?;
    let seen = Seen::of(inventory::of(plane, &found).await?, kind);
    if entry(&found.spec, kind, name).is_none() && seen.item(name).is_none() {
        return Err(seen.nothing(&found, kind, name));
    }
    Ok(view(&found, kind, &seen, name))
}

/// Puts an entry into the document, in place of one of the same name.
pub(crate) async fn install(
    scope: &Scope,
    kind: PackageKind,
    id: &str,
    wanted: PackageSpec,
) -> Result<Answer, ApiError> {
    edit(scope, Action::TenantPackageInstall, kind, id, |site| {
        check_entry(kind, &wanted)?;
        site.put(wanted);
        Ok(())
    })
    .await
}

/// Switches one on or off that the document names or that is there.
pub(crate) async fn switch(
    scope: &Scope,
    kind: PackageKind,
    id: &str,
    name: &str,
    on: bool,
) -> Result<Answer, ApiError> {
    let action = if on { Action::TenantPackageActivate } else { Action::TenantPackageDeactivate };
    edit(scope, action, kind, id, |site| {
        let mut entry = site.known(name)?;
        entry.active = match (kind, on) {
            // What is left out means so already.
            (PackageKind::Plugin, true) => None,
            (_, on) => Some(on),
        };
        site.put(entry);
        Ok(())
    })
    .await
}

/// Changes one to a version, or the newest.
pub(crate) async fn update(
    scope: &Scope,
    kind: PackageKind,
    id: &str,
    name: &str,
    body: SitePackageUpdate,
) -> Result<Answer, ApiError> {
    // Before the registry's write lock is taken: the directory may be slow.
    let found = tenant::find(&scope.plane, &scope.caller, Action::TenantPackageUpdate, id).await?;
    let held = entry(&found.spec, kind, name).cloned();
    let source = body.source.or_else(|| held.and_then(|entry| entry.source));
    let given = PackageSpec {
        name: name.to_owned(),
        version: body.version,
        source: source.clone(),
        active: None,
    };
    check_entry(kind, &given)?;
    let parsed = PackageSource::parse(source.as_deref())
        .map_err(|detail| ApiError::field("/source", detail))?;
    let version = match (given.version, parsed.pinned()) {
        (Some(version), _) => version,
        // What the archive holds is what comes.
        (None, Some(sha256)) => match scope.plane.store.package_fetch(sha256).await? {
            Some(record) => record.facts.version,
            None => newest_of(scope, &found, kind, name, parsed).await?,
        },
        (None, None) => newest_of(scope, &found, kind, name, parsed).await?,
    };
    edit(scope, Action::TenantPackageUpdate, kind, id, |site| {
        let mut entry = site.known(name)?;
        entry.version = Some(version);
        entry.source = source;
        site.put(entry);
        Ok(())
    })
    .await
}

/// The newest version that can be had, unless the site is ahead of it.
async fn newest_of(
    scope: &Scope,
    tenant: &TenantRecord,
    kind: PackageKind,
    name: &str,
    source: PackageSource,
) -> Result<String, ApiError> {
    let seen = Seen::of(inventory::of(&scope.plane, tenant).await?, kind);
    if entry(&tenant.spec, kind, name).is_none() && seen.item(name).is_none() {
        return Err(seen.nothing(tenant, kind, name));
    }
    let wanted =
        Wanted { account: tenant.account, kind, name: name.to_owned(), version: None, source };
    let newest = newest::version(&scope.plane, &wanted).await?;
    match seen.item(name) {
        Some(item) if compare_versions(&item.version, &newest) == Ordering::Greater => {
            Err(ApiError::new(
                &codes::INVALID_STATE,
                format!(
                    "{kind} `{name}` is {} on the site, and the newest that can be had is \
                     {newest}: give that version to go back to it",
                    item.version
                ),
            ))
        }
        _ => Ok(newest),
    }
}

/// Takes one out of the document and off the site, whoever installed it.
pub(crate) async fn remove(
    scope: &Scope,
    kind: PackageKind,
    id: &str,
    name: &str,
) -> Result<Answer, ApiError> {
    edit(scope, Action::TenantPackageRemove, kind, id, |site| {
        let entry = site.known(name)?;
        if kind == PackageKind::Theme
            && site
                .seen
                .item(name)
                .is_some_and(|item| matches!(item.status.as_str(), "active" | "parent"))
        {
            return Err(ApiError::new(
                &codes::INVALID_STATE,
                format!("theme `{name}` is in use: activate another one, then remove it"),
            ));
        }
        site.entries.retain(|other| other.name != entry.name);
        site.removals.push(PackageRef { kind, name: entry.name });
        Ok(())
    })
    .await
}

/// A site whose plugins, or themes, are being changed.
struct Site<'a> {
    tenant: &'a TenantRecord,
    kind: PackageKind,
    seen: Seen,
    entries: Vec<PackageSpec>,
    removals: Vec<PackageRef>,
}

impl Site<'_> {
    /// The document's entry, or a new one for what was seen on the site.
    fn known(&self, name: &str) -> Result<PackageSpec, ApiError> {
        let held = self.entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
        if let Some(entry) = held {
            return Ok(entry.clone());
        }
        match self.seen.item(name) {
            Some(item) => Ok(PackageSpec {
                name: item.name.clone(),
                version: None,
                source: None,
                active: None,
            }),
            None => Err(self.seen.nothing(self.tenant, self.kind, name)),
        }
    }

    fn put(&mut self, entry: PackageSpec) {
        if self.kind == PackageKind::Theme && entry.active == Some(true) {
            // A site has one active theme: the one before makes room.
            for other in &mut self.entries {
                if other.active == Some(true) {
                    other.active = None;
                }
            }
        }
        let same = |other: &&mut PackageSpec| other.name.eq_ignore_ascii_case(&entry.name);
        match self.entries.iter_mut().find(same) {
            Some(other) => *other = entry,
            None => self.entries.push(entry),
        }
    }
}

async fn edit(
    scope: &Scope,
    action: Action,
    kind: PackageKind,
    id: &str,
    make: impl FnOnce(&mut Site<'_>) -> Result<(), ApiError> + Send,
) -> Result<Answer, ApiError> {
    let mut change = Change::begin(&scope.plane).await?;
    let before = tenant::find_in(&mut change, &scope.caller, action, id).await?;
    scope.check_etag(&before.etag)?;
    let seen = Seen::of(change.txn.inventory_fetch(before.uid).await?, kind);
    let mut site = Site {
        tenant: &before,
        kind,
        seen,
        entries: entries(&before.spec, kind).to_vec(),
        removals: Vec::new(),
    };
    make(&mut site)?;
    let Site { entries, removals, .. } = site;
    let mut wanted = update::Wanted { removals, ..update::Wanted::of(&before) };
    match kind {
        PackageKind::Plugin => wanted.spec.plugins = entries,
        PackageKind::Theme => wanted.spec.themes = entries,
    }
    let complaints = wanted.spec.check("/spec");
    if !complaints.is_empty() {
        return Err(ApiError::fields(complaints));
    }
    update::apply(scope, change, &before, wanted).await
}

/// What was seen of the site's plugins, or themes.
struct Seen {
    items: Vec<InventoryItemView>,
    at: Option<time::OffsetDateTime>,
}

impl Seen {
    fn of(record: Option<InventoryRecord>, kind: PackageKind) -> Self {
        let view =
            record.and_then(|record| serde_json::from_value::<InventoryView>(record.document).ok());
        let at = view.as_ref().map(|view| view.observed_at);
        let items = match (view.and_then(|view| view.site), kind) {
            (Some(site), PackageKind::Plugin) => site.plugins,
            (Some(site), PackageKind::Theme) => site.themes,
            (None, _) => Vec::new(),
        };
        Self { items, at }
    }

    fn item(&self, name: &str) -> Option<&InventoryItemView> {
        self.items.iter().find(|item| item.name.eq_ignore_ascii_case(name))
    }

    fn nothing(&self, tenant: &TenantRecord, kind: PackageKind, name: &str) -> ApiError {
        let site = &tenant.name;
        ApiError::new(
            &codes::NOT_FOUND,
            format!(
                "`{site}` has no {kind} `{name}`, neither in its document nor as it was seen last: \
                 `aipress tenant {kind} install {site} {name}` installs it, `aipress tenant \
                 inventory {site} --refresh` looks again"
            ),
        )
    }
}

fn entries(spec: &TenantSpec, kind: PackageKind) -> &[PackageSpec] {
    match kind {
        PackageKind::Plugin => &spec.plugins,
        PackageKind::Theme => &spec.themes,
    }
}

fn entry<'s>(spec: &'s TenantSpec, kind: PackageKind, name: &str) -> Option<&'s PackageSpec> {
    entries(spec, kind).iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
}

fn view(tenant: &TenantRecord, kind: PackageKind, seen: &Seen, name: &str) -> SitePackageView {
    let requested = entry(&tenant.spec, kind, name).cloned();
    let item = seen.item(name).cloned();
    let rolled_back = tenant.observed.as_ref().and_then(|observed| {
        let same =
            |package: &PackageRef| package.kind == kind && package.name.eq_ignore_ascii_case(name);
        observed.rolled_back.iter().find(|rolled_back| same(&rolled_back.package))
    });
    SitePackageView {
        name: requested.as_ref().map_or_else(|| name.to_owned(), |entry| entry.name.clone()),
        requested,
        title: item.as_ref().map(|item| item.title.clone()),
        version: item.as_ref().map(|item| item.version.clone()),
        status: item.as_ref().map(|item| item.status.clone()),
        update: item.as_ref().map(|item| item.update.clone()),
        update_version: item.and_then(|item| item.update_version),
        rolled_back: rolled_back.map(|rolled_back| rolled_back.message.clone()),
        observed_at: seen.at,
    }
}
