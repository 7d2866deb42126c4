//! Makes and mends a site: slot, core, database, cache user, files, PHP, serving; and suspends it.

use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::CacheUser;
use aipress_drivers::Content;
use aipress_drivers::Personalization;
use aipress_drivers::Progress;
use aipress_drivers::Recycle;
use aipress_drivers::SiteConfig;
use aipress_drivers::SiteDatabase;
use aipress_drivers::Slot;
use aipress_drivers::files::SITE_CONFIG_VERSION;
use aipress_drivers::files::SiteConfigDatabase;
use aipress_drivers::files::SiteConfigRedis;
use aipress_drivers::layout::key_prefix;
use aipress_drivers::layout::tenant_handle;
use aipress_types::DesiredState;
use aipress_types::TenantIntent;
use aipress_types::TenantUid;
use tokio::sync::SemaphorePermit;

use crate::content::PulledArchive;
use crate::core::ShardCore;
use crate::journal::Entry;
use crate::journal::Master;
use crate::plane::Plane;
use crate::reconcilers::tenant::core_move;
use crate::reconcilers::tenant::master;
use crate::reconcilers::tenant::packages;
use crate::reconcilers::tenant::php_settings;
use crate::reconcilers::tenant::publish;
use crate::reconcilers::tenant::remove::if_there;
use crate::reconcilers::tenant::rotation;
use crate::steps::StepError;
use crate::steps::Steps;

/// Steps towards a served site.
pub(super) const ACTIVE: &[&str] = &["slot", "core", "database", "cache", "files", "serving"];
/// Steps towards one with a php-fpm master of its own.
pub(super) const OWN_PHP: &[&str] =
    &["slot", "core", "database", "cache", "files", "php", "serving"];
/// Steps towards one that gives that master up.
pub(super) const SHARED_PHP: &[&str] =
    &["slot", "core", "database", "cache", "files", "serving", "php-end"];
/// Steps towards a suspended one.
pub(super) const SUSPENDED: &[&str] =
    &["slot", "core", "database", "cache", "files", "serving", "suspend"];

/// When a cache user that could not be made is tried again.
const CACHE_AGAIN: Duration = Duration::from_secs(5);

/// Between two words about how far something long is.
const TELL: Duration = Duration::from_secs(1);

/// Login of the first administrator.
const ADMIN_LOGIN: &str = "admin";

/// Runs the steps.
pub(super) async fn run(
    plane: &Plane,
    steps: &Steps<'_>,
    entry: Arc<Entry>,
) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    let slot = steps.run("slot", take_slot(plane, &entry)).await?;
    let (core, wanted) = steps.run("core", choose_core(plane, &entry)).await?;
    // A deleted site's files and database come back before anything is made beside them.
    if entry.aside {
        bring_back(plane, &entry, slot).await?;
    }
    let entry = let_in(plane, steps, entry).await?;
    let own_php = master::is_wanted(&entry.intent);
    let (database_from, files_from) = (content(plane, &entry), content(plane, &entry));
    let _turn = take_turn(plane, database_from.as_ref())?;
    let php = async {
        if own_php {
            steps.run("php", master::start(plane, &entry, slot)).await?;
        }
        Ok::<(), StepError>(())
    };
    let files = async {
        steps.run("cache", make_cache_user(plane, &entry)).await?;
        let made = make_files(plane, &entry, slot, &core, files_from.as_ref());
        steps.run("files", watched(steps, "files", files_from.as_ref(), made)).await
    };
    let database = make_database(plane, &entry, &core, database_from.as_ref());
    let database = watched(steps, "database", database_from.as_ref(), database);
    let database = while_wanted(plane, uid, database_from.as_ref(), database);
    let (database, files, php) = tokio::join!(steps.run("database", database), files, php);
    database?;
    files?;
    php?;
    if database_from.is_some() {
        bring_up_to_date(plane, &entry, slot, &core).await?;
    }
    plane.tenants.update(uid, |entry| entry.built = true)?;
    // On what it has, the site is whole; only then it moves.
    if entry.intent.desired == DesiredState::Active {
        core_move::run(plane, steps, uid, slot, core, wanted).await?;
    }
    if !own_php {
        master::leave(plane, &entry)?;
    }
    let told = steps.run("serving", publish::run(plane)).await?;
    php_settings::renew(plane, uid, slot, told).await?;
    if entry.intent.desired == DesiredState::Suspended {
        steps.run("suspend", suspend(plane, &entry, slot)).await?;
    } else if !own_php && entry.master != Master::Shared {
        steps.run("php-end", master::end_unused(plane, uid, slot, told)).await?;
    }
    if rotation::is_under_way(&entry) {
        steps.run(rotation::END, rotation::end(plane, uid, slot)).await?;
    }
    if packages::are_concerned(&entry) {
        steps.serving();
        packages::run(plane, steps, &entry, slot).await?;
    }
    let entry = plane.tenants.fetch(uid).map(|tenant| tenant.entry);
    match entry.as_deref().and_then(core_move::refusal) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

/// Lets other secrets in, where they are asked for; the tenant as it is then.
async fn let_in(
    plane: &Plane,
    steps: &Steps<'_>,
    entry: Arc<Entry>,
) -> Result<Arc<Entry>, StepError> {
    if !rotation::is_under_way(&entry) {
        return Ok(entry);
    }
    let uid = entry.intent.uid;
    steps.run(rotation::BEGIN, rotation::begin(plane, uid)).await?;
    Ok(plane.tenants.fetch(uid).map_or(entry, |tenant| tenant.entry))
}

/// A turn to make a site from an archive. Whoever gets none comes back: a worker that waited would
/// be missed by all other sites.
fn take_turn<'p>(
    plane: &'p Plane,
    content: Option<&Content>,
) -> Result<Option<SemaphorePermit<'p>>, StepError> {
    if content.is_none() {
        return Ok(None);
    }
    plane.makings.try_acquire().map(Some).map_err(|_| StepError {
        message: "other sites are being made from archives; this one waits for its turn".to_owned(),
        retryable: true,
    })
}

async fn take_slot(plane: &Plane, entry: &Entry) -> Result<Slot, StepError> {
    let number = plane.tenants.slot_take(entry.intent.uid)?;
    let slot = Slot::new(number).ok_or_else(|| StepError {
        message: format!("slot {number} does not exist"),
        retryable: false,
    })?;
    Ok(slot)
}

/// Makes the slot's folders; nothing that ran there for somebody else, or for this tenant before
/// it was deleted, is left when it returns.
async fn clean_slot(plane: &Plane, entry: &Entry, slot: Slot) -> Result<(), StepError> {
    if !entry.built || entry.aside {
        // Whoever sat here was ended when he left; this is for what slipped through.
        plane.drivers.php.recycle_slot(slot, Recycle::Kill).await?;
    }
    plane.drivers.files.ensure_slot(slot).await?;
    Ok(())
}

/// The core that the site runs, and the one that it is to run. A site that never was whole has no
/// way to go: it begins with the one that is wanted.
async fn choose_core(plane: &Plane, entry: &Entry) -> Result<(ShardCore, ShardCore), StepError> {
    let resolve = async |version: Option<&str>| {
        let core = plane.cores.resolve(version).await;
        core.map_err(|message| StepError { message, retryable: false })
    };
    // The version that was asked for, or the one that was the default when the site was made.
    let wanted = entry.intent.spec.wordpress.version.as_deref();
    let held = entry.core_version.as_deref();
    let had =
        entry.intent.content.as_ref().and_then(|content| content.wordpress_version.as_deref());
    let wanted = match (wanted.or(held), had) {
        (None, Some(had)) => {
            nearest(plane, had).await.map_err(|message| StepError { message, retryable: false })?
        }
        (wanted, _) => resolve(wanted).await?,
    };
    let core = match held.filter(|held| entry.built && *held != wanted.version) {
        Some(held) => resolve(Some(held)).await?,
        None => wanted.clone(),
    };
    let version = core.version.clone();
    plane.tenants.update(entry.intent.uid, |entry| {
        entry.core_version = Some(version);
        let asked = entry.intent.spec.wordpress.version.as_deref();
        if entry.refused.as_ref().is_some_and(|refused| Some(refused.wanted.as_str()) != asked) {
            entry.refused = None;
        }
    })?;
    Ok((core, wanted))
}

/// The version that a site had elsewhere, or its branch, or the default where neither can be had:
/// WordPress brings an older database up to date by itself.
async fn nearest(plane: &Plane, had: &str) -> Result<ShardCore, String> {
    let branch = had.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    for wanted in [had, branch.as_str()] {
        match plane.cores.resolve(Some(wanted)).await {
            Ok(core) => return Ok(core),
            Err(error) => tracing::info!(wanted, error, "another WordPress is taken"),
        }
    }
    plane.cores.resolve(None).await
}

async fn bring_back(plane: &Plane, entry: &Entry, slot: Slot) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    clean_slot(plane, entry, slot).await?;
    let restored = if_there(entry, plane.drivers.files.restore_site(uid, slot).await)?;
    for path in restored.unwrap_or_default().refused {
        tracing::warn!(tenant_id = %uid, path = %path.display(), "a hard link to a foreign file kept its owner");
    }
    if_there(entry, plane.drivers.database.bring_back(&site_database(entry)).await)?;
    plane.tenants.update(uid, |entry| entry.aside = false)?;
    Ok(())
}

async fn make_database(
    plane: &Plane,
    entry: &Entry,
    core: &ShardCore,
    content: Option<&Content>,
) -> Result<(), StepError> {
    let (database, intent) = (&plane.drivers.database, &entry.intent);
    if let Some(content) = content {
        database.ensure_site_from(&site_database(entry), &core.version, content).await?;
        if intent.desired == DesiredState::Active {
            database.resume(intent.uid).await?;
        }
        return Ok(());
    }
    database.ensure_template(&core.version, core.template.as_ref()).await?;
    let wordpress = &intent.spec.wordpress;
    let personalization = Personalization {
        home: intent.home.clone(),
        title: wordpress.title.clone().unwrap_or_else(|| intent.name.to_string()),
        admin_login: ADMIN_LOGIN.to_owned(),
        admin_email: wordpress.admin_email.clone().unwrap_or_else(|| default_email(intent)),
        now_unix_s: plane.clock.now().unix_timestamp(),
    };
    database.ensure_site(&site_database(entry), &core.version, &personalization).await?;
    // Exactly these: one that is left of an entry that was lost must not open it for ever.
    database.set_passwords(intent.uid, &rotation::passwords(entry).0).await?;
    if intent.desired == DesiredState::Active {
        database.resume(intent.uid).await?;
    }
    Ok(())
}

/// Nobody gave an address: one that can't reach a stranger (RFC 2606 section 2).
fn default_email(intent: &TenantIntent) -> String {
    format!("admin@{}.invalid", intent.name)
}

async fn make_cache_user(plane: &Plane, entry: &Entry) -> Result<(), StepError> {
    let uid = entry.intent.uid;
    let user = CacheUser { uid, passwords: rotation::passwords(entry).1 };
    match plane.drivers.cache.ensure_user(&user).await {
        Ok(_) => Ok(()),
        // A site does without its cache until Redis is back.
        Err(error) if error.is_retryable() => {
            tracing::warn!(tenant_id = %uid, %error, "cache user waits for redis");
            plane.queue.add_after(uid, CACHE_AGAIN);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn make_files(
    plane: &Plane,
    entry: &Entry,
    slot: Slot,
    core: &ShardCore,
    content: Option<&Content>,
) -> Result<(), StepError> {
    let (files, intent) = (&plane.drivers.files, &entry.intent);
    if !entry.aside {
        clean_slot(plane, entry, slot).await?;
    }
    match content {
        Some(content) => files.ensure_site_from(intent.uid, slot, content).await?,
        None => files.ensure_site(intent.uid, slot).await?,
    };
    files.write_site_json(slot, &site_config(plane, entry, slot, core)).await?;
    Ok(())
}

/// Upgrades a database that comes from another WordPress than the one that serves it. May run any
/// number of times.
async fn bring_up_to_date(
    plane: &Plane,
    entry: &Entry,
    slot: Slot,
    core: &ShardCore,
) -> Result<(), StepError> {
    let had =
        entry.intent.content.as_ref().and_then(|content| content.wordpress_version.as_deref());
    if had == Some(core.version.as_str()) {
        return Ok(());
    }
    match core_move::upgrade(plane, entry.intent.uid, slot).await? {
        Some(message) => Err(StepError { message, retryable: false }),
        None => Ok(()),
    }
}

/// What a site is made of that is not whole yet and comes from an archive.
fn content(plane: &Plane, entry: &Entry) -> Option<Content> {
    let wanted = entry.intent.content.as_ref().filter(|_| !entry.built)?;
    Some(Content {
        source: Arc::new(PulledArchive::new(plane.meta.clone(), wanted.import)),
        home: entry.intent.home.clone(),
        progress: Arc::new(Progress::default()),
    })
}

/// The same work, its progress told with its step.
async fn watched<T>(
    steps: &Steps<'_>,
    name: &str,
    content: Option<&Content>,
    work: impl Future<Output = T>,
) -> T {
    let Some(content) = content else { return work.await };
    let telling = async {
        loop {
            tokio::time::sleep(TELL).await;
            let (done, total) = content.progress.read();
            steps.progress(name, done, total);
        }
    };
    tokio::pin!(work, telling);
    std::future::poll_fn(|context| {
        // It never ends: it is polled for its telling alone.
        let _: std::task::Poll<std::convert::Infallible> = telling.as_mut().poll(context);
        work.as_mut().poll(context)
    })
    .await
}

/// The same work, given up when the site is to be deleted: loading a database takes what its archive
/// makes it take. What it left is removed by the run that was wished for meanwhile.
async fn while_wanted<T>(
    plane: &Plane,
    uid: TenantUid,
    content: Option<&Content>,
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    if content.is_none() {
        return work.await;
    }
    let unwanted = async {
        loop {
            tokio::time::sleep(TELL).await;
            let desired = plane.tenants.fetch(uid).map(|tenant| tenant.entry.intent.desired);
            if !matches!(desired, Some(DesiredState::Active | DesiredState::Suspended)) {
                return;
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = unwanted => Err(StepError {
            message: "the site is to be deleted".to_owned(),
            retryable: true,
        }),
    }
}

async fn suspend(plane: &Plane, entry: &Entry, slot: Slot) -> Result<(), StepError> {
    plane.drivers.database.suspend(entry.intent.uid).await?;
    plane.drivers.php.recycle_slot(slot, Recycle::Kill).await?;
    master::end(plane, entry, slot).await
}

fn site_database(entry: &Entry) -> SiteDatabase {
    SiteDatabase::of(entry.intent.uid, entry.secrets().db_password.clone())
}

pub(super) fn site_config(
    plane: &Plane,
    entry: &Entry,
    slot: Slot,
    core: &ShardCore,
) -> SiteConfig {
    let (intent, secrets) = (&entry.intent, entry.secrets());
    let paths = &plane.config.paths;
    let handle = tenant_handle(intent.uid);
    SiteConfig {
        version: SITE_CONFIG_VERSION,
        uid: intent.uid,
        name: intent.name.to_string(),
        generation: intent.generation,
        home: intent.home.clone(),
        hosts: intent.hosts.clone(),
        core_dir: core.dir.clone(),
        site_dir: paths.site(intent.uid),
        tmp_dir: paths.slot_tmp(slot),
        db: SiteConfigDatabase {
            socket: paths.mariadb_socket(),
            name: handle.clone(),
            user: handle.clone(),
            password: secrets.db_password.clone(),
        },
        redis: Some(SiteConfigRedis {
            socket: paths.redis_socket(),
            user: handle,
            password: secrets.redis_password.clone(),
            prefix: key_prefix(intent.uid),
        }),
        salts: secrets.salts.clone(),
        env: intent.spec.env.clone(),
        security: intent.spec.security.clone(),
    }
}
