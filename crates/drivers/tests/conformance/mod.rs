//! What every implementation of the drivers does alike. Each part uses tenants of its own.

mod packages;

use std::collections::BTreeMap;
use std::path::PathBuf;

use aipress_drivers::CacheUser;
use aipress_drivers::DbObjectKind;
use aipress_drivers::DbOwner;
use aipress_drivers::Drivers;
use aipress_drivers::Ensured;
use aipress_drivers::FileObject;
use aipress_drivers::LoginToken;
use aipress_drivers::Personalization;
use aipress_drivers::Recycle;
use aipress_drivers::SiteConfig;
use aipress_drivers::SiteDatabase;
use aipress_drivers::SiteState;
use aipress_drivers::Slot;
use aipress_drivers::TemplateSource;
use aipress_drivers::files::SiteConfigDatabase;
use aipress_types::Secret;
use aipress_types::TenantUid;

pub(crate) use packages::packages;

pub(crate) fn who(name: &str) -> Personalization {
    Personalization {
        home: format!("http://{name}.localhost:8080"),
        title: "Tom & Jo's".to_owned(),
        admin_login: "admin".to_owned(),
        admin_email: "owner@example.org".to_owned(),
        now_unix_s: 1_795_219_200,
    }
}

fn uid() -> TenantUid {
    TenantUid(uuid::Uuid::new_v4())
}

/// What the server has of a tenant: kind and recorded state.
async fn objects(drivers: &Drivers, uid: TenantUid) -> Vec<(DbObjectKind, SiteState)> {
    let all = drivers.database.inventory().await.unwrap();
    all.into_iter()
        .filter_map(|object| match object.owner {
            DbOwner::Site(other, state) if other == uid => Some((object.kind, state)),
            DbOwner::Unrecorded(other) if other == uid => panic!("{object:?} has no record"),
            _ => None,
        })
        .collect()
}

/// A copy is there once, is explained, and is gone after it was put back or dropped.
async fn snapshots(drivers: &Drivers, uid: TenantUid) {
    let database = &drivers.database;
    let databases = async || {
        let all = objects(drivers, uid).await;
        all.iter().filter(|(kind, _)| *kind == DbObjectKind::Database).count()
    };
    assert_eq!(database.drop_snapshot(uid).await.unwrap(), Ensured::Kept);
    assert_eq!(database.restore_snapshot(uid).await.unwrap(), Ensured::Kept);
    assert_eq!(database.snapshot(uid).await.unwrap(), Ensured::Created);
    assert_eq!(database.snapshot(uid).await.unwrap(), Ensured::Kept);
    assert_eq!(databases().await, 2);
    assert_eq!(database.drop_snapshot(uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(databases().await, 1);
    assert_eq!(database.snapshot(uid).await.unwrap(), Ensured::Created);
    assert_eq!(database.restore_snapshot(uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.restore_snapshot(uid).await.unwrap(), Ensured::Kept);
    assert_eq!(databases().await, 1);
    // Erasing takes it along.
    assert_eq!(database.snapshot(uid).await.unwrap(), Ensured::Created);
}

async fn is_locked(drivers: &Drivers, uid: TenantUid) -> bool {
    let all = drivers.database.inventory().await.unwrap();
    all.iter().any(|object| {
        object.locked && matches!(object.owner, DbOwner::Site(other, _) if other == uid)
    })
}

pub(crate) async fn database(drivers: &Drivers, template: &dyn TemplateSource) {
    let database = &drivers.database;
    database.health().await.unwrap();
    let site = SiteDatabase::of(uid(), Secret::new("first"));
    let person = who("bakery");
    let make = || database.ensure_site(&site, "9.9", &person);
    assert!(make().await.unwrap_err().is_retryable(), "no template yet");

    assert_eq!(database.ensure_template("9.9", template).await.unwrap(), Ensured::Created);
    assert_eq!(database.ensure_template("9.9", template).await.unwrap(), Ensured::Kept);
    assert_eq!(make().await.unwrap(), Ensured::Created);
    assert_eq!(make().await.unwrap(), Ensured::Kept);
    use DbObjectKind::*;
    let ready = SiteState::Ready;
    let all = vec![(Record, ready), (Database, ready), (User, ready), (Grant, ready)];
    assert_eq!(objects(drivers, site.uid).await, all);

    assert_eq!(database.suspend(site.uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.suspend(site.uid).await.unwrap(), Ensured::Kept);
    assert_eq!(make().await.unwrap(), Ensured::Kept);
    assert!(is_locked(drivers, site.uid).await, "ensuring does not unlock");
    assert_eq!(database.resume(site.uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.resume(site.uid).await.unwrap(), Ensured::Kept);
    assert!(!is_locked(drivers, site.uid).await);

    passwords(drivers, &site).await;
    aside(drivers, &site).await;
    snapshots(drivers, site.uid).await;

    assert_eq!(database.erase(site.uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.erase(site.uid).await.unwrap(), Ensured::Kept);
    assert_eq!(objects(drivers, site.uid).await, []);
    assert_eq!(make().await.unwrap(), Ensured::Created);
    database.erase(site.uid).await.unwrap();
}

async fn passwords(drivers: &Drivers, site: &SiteDatabase) {
    let database = &drivers.database;
    let (old, fresh) = (site.password.clone(), Secret::new("second"));
    let both = [old.clone(), fresh.clone()];
    assert_eq!(database.set_passwords(site.uid, &both).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.set_passwords(site.uid, &both).await.unwrap(), Ensured::Kept);
    for password in both {
        // Either is accepted while both are.
        let site = SiteDatabase { password, ..site.clone() };
        let kept = database.ensure_site(&site, "9.9", &who("x")).await.unwrap();
        assert_eq!(kept, Ensured::Kept);
    }
    let one = std::slice::from_ref(&old);
    assert_eq!(database.set_passwords(site.uid, one).await.unwrap(), Ensured::Repaired);
    assert!(!database.set_passwords(site.uid, &[]).await.unwrap_err().is_retryable());
    assert!(!database.set_passwords(uid(), one).await.unwrap_err().is_retryable());
}

async fn aside(drivers: &Drivers, site: &SiteDatabase) {
    let database = &drivers.database;
    assert_eq!(database.set_aside(site.uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.set_aside(site.uid).await.unwrap(), Ensured::Kept);
    use DbObjectKind::*;
    let aside = SiteState::Aside;
    assert_eq!(objects(drivers, site.uid).await, [(Record, aside), (Database, aside)]);
    let made = database.ensure_site(site, "9.9", &who("x")).await;
    assert!(!made.unwrap_err().is_retryable(), "what is aside is brought back, not made");
    assert_eq!(database.bring_back(site).await.unwrap(), Ensured::Repaired);
    assert_eq!(database.bring_back(site).await.unwrap(), Ensured::Kept);
    assert_eq!(objects(drivers, site.uid).await.len(), 4);
    let unknown = SiteDatabase::of(uid(), Secret::new("x"));
    assert!(!database.bring_back(&unknown).await.unwrap_err().is_retryable());
    assert!(!database.set_aside(unknown.uid).await.unwrap_err().is_retryable());
}

pub(crate) async fn cache(drivers: &Drivers) {
    let cache = &drivers.cache;
    cache.health().await.unwrap();
    let mut user = CacheUser { uid: uid(), passwords: vec![Secret::new("one")] };
    assert_eq!(cache.ensure_user(&user).await.unwrap(), Ensured::Created);
    assert_eq!(cache.ensure_user(&user).await.unwrap(), Ensured::Kept);
    user.passwords.push(Secret::new("two"));
    assert_eq!(cache.ensure_user(&user).await.unwrap(), Ensured::Repaired);
    assert_eq!(cache.ensure_user(&user).await.unwrap(), Ensured::Kept);
    user.passwords.clear();
    assert!(!cache.ensure_user(&user).await.unwrap_err().is_retryable());
    let found = cache.inventory().await.unwrap();
    assert_eq!(found.iter().filter(|other| other.uid == Some(user.uid)).count(), 1);
    assert!(found.iter().all(|other| other.platform || other.uid.is_some()), "{found:?}");
    assert_eq!(cache.remove_user(user.uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(cache.remove_user(user.uid).await.unwrap(), Ensured::Kept);
    assert!(cache.inventory().await.unwrap().iter().all(|other| other.uid != Some(user.uid)));
}

pub(crate) async fn php(drivers: &Drivers) {
    drivers.php.health().await.unwrap();
    let slot = Slot::new(50).unwrap();
    assert_eq!(drivers.php.recycle_slot(slot, Recycle::Kill).await.unwrap(), 0);
    assert_eq!(drivers.php.recycle_slot(slot, Recycle::Graceful).await.unwrap(), 0);
    let workers = drivers.php.inventory().await.unwrap();
    assert!(workers.iter().all(|worker| worker.slot != slot));

    assert!(drivers.php.master_health(slot).await.is_err());
    assert!(drivers.php.masters().await.unwrap().is_empty());
    for how in [Recycle::Kill, Recycle::Graceful] {
        assert!(drivers.php.end_master(slot, how).await.unwrap(), "one that is not there is gone");
    }
}

/// Slots' own masters, where something can start them.
pub(crate) async fn own_masters(drivers: &Drivers) {
    let slot = Slot::new(49).unwrap();
    for _ in 0..2 {
        drivers.php.ensure_master(slot).await.unwrap();
        drivers.php.master_health(slot).await.unwrap();
        assert_eq!(drivers.php.masters().await.unwrap(), [slot]);
    }
    drivers.php.health().await.unwrap();
    for how in [Recycle::Graceful, Recycle::Kill] {
        // A look at its health is a connection, until the master has taken it.
        let mut looks = 0;
        while !drivers.php.end_master(slot, how).await.unwrap() {
            looks += 1;
            assert!(how == Recycle::Graceful && looks < 600, "it goes on");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(drivers.php.master_health(slot).await.is_err());
        assert!(drivers.php.masters().await.unwrap().is_empty());
    }
}

pub(crate) fn config(uid: TenantUid) -> SiteConfig {
    SiteConfig {
        version: aipress_drivers::files::SITE_CONFIG_VERSION,
        uid,
        name: "bakery".to_owned(),
        generation: 1,
        home: "http://bakery.localhost:8080".to_owned(),
        hosts: vec!["bakery.localhost:8080".to_owned()],
        core_dir: PathBuf::from("/core"),
        site_dir: PathBuf::from("/site"),
        tmp_dir: PathBuf::from("/tmp"),
        db: SiteConfigDatabase {
            socket: PathBuf::from("/db"),
            name: "t".to_owned(),
            user: "t".to_owned(),
            password: Secret::new("p"),
        },
        redis: None,
        salts: BTreeMap::new(),
        env: Default::default(),
        security: Default::default(),
    }
}

pub(crate) async fn files(drivers: &Drivers) {
    let files = &drivers.files;
    let (one, two) = (Slot::new(48).unwrap(), Slot::new(49).unwrap());
    let (bakery, other) = (uid(), uid());
    assert_eq!(files.ensure_slot(one).await.unwrap(), Ensured::Created);
    assert_eq!(files.ensure_slot(one).await.unwrap(), Ensured::Kept);
    files.ensure_slot(two).await.unwrap();
    assert_eq!(files.ensure_site(bakery, one).await.unwrap(), Ensured::Created);
    assert_eq!(files.ensure_site(bakery, one).await.unwrap(), Ensured::Kept);
    let taken = files.ensure_site(other, one).await.unwrap_err();
    assert!(!taken.is_retryable(), "{taken}");
    let mut wanted = config(bakery);
    assert_eq!(files.write_site_json(one, &wanted).await.unwrap(), Ensured::Created);
    assert_eq!(files.write_site_json(one, &wanted).await.unwrap(), Ensured::Kept);
    wanted.generation = 2;
    assert_eq!(files.write_site_json(one, &wanted).await.unwrap(), Ensured::Repaired);
    let token = LoginToken {
        sha256_hex: "ab".repeat(32),
        login: Some("admin".to_owned()),
        expires_unix_s: 100,
    };
    files.write_login_token(bakery, one, &token, 50).await.unwrap();
    assert!(files.write_login_token(bakery, two, &token, 50).await.is_err());
    let mut here = files.inventory().await.unwrap();
    here.retain(|object| is_of(object, bakery));
    let mut expected = vec![
        FileObject::SlotLink(one, Some(bakery)),
        FileObject::SlotConfig(one, Some(bakery)),
        FileObject::Site(bakery),
        FileObject::Log(bakery),
    ];
    here.sort_by_key(|object| format!("{object:?}"));
    expected.sort_by_key(|object| format!("{object:?}"));
    assert_eq!(here, expected);

    // Deleted, then back in another slot.
    assert_eq!(files.clear_slot(one).await.unwrap(), Ensured::Repaired);
    files.ensure_slot(one).await.unwrap();
    assert_eq!(files.clear_slot(one).await.unwrap(), Ensured::Kept);
    assert_eq!(files.trash_site(bakery).await.unwrap(), Ensured::Repaired);
    assert_eq!(files.trash_site(bakery).await.unwrap(), Ensured::Kept);
    assert!(!files.ensure_site(bakery, one).await.unwrap_err().is_retryable());
    assert!(!files.trash_site(other).await.unwrap_err().is_retryable());
    assert_eq!(files.ensure_site(other, one).await.unwrap(), Ensured::Created);
    assert!(files.restore_site(bakery, two).await.unwrap().entries > 0);
    assert_eq!(files.restore_site(bakery, two).await.unwrap().entries, 0);
    assert_eq!(files.ensure_site(bakery, two).await.unwrap(), Ensured::Repaired);
    assert_eq!(files.erase_site(bakery).await.unwrap(), Ensured::Repaired);
    assert_eq!(files.erase_site(bakery).await.unwrap(), Ensured::Kept);
    files.clear_slot(two).await.unwrap();
    files.clear_slot(one).await.unwrap();
    files.erase_site(other).await.unwrap();
    let left = files.inventory().await.unwrap();
    assert!(!left.iter().any(|object| is_of(object, bakery) || is_of(object, other)), "{left:?}");
}

fn is_of(object: &FileObject, uid: TenantUid) -> bool {
    match object {
        FileObject::SlotConfig(_, found) | FileObject::SlotLink(_, found) => *found == Some(uid),
        FileObject::Site(found)
        | FileObject::Trash(found)
        | FileObject::Log(found)
        | FileObject::Erasing(found) => *found == uid,
        FileObject::Unexplained(path) => panic!("{} is unexplained", path.display()),
    }
}
