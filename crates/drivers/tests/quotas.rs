//! Sites held to their disks by real project quotas: run by `make test-quotas` in a machine of its
//! own, whose kernel has them (`scripts/quotas`). `AIPRESS_QUOTA_DISKS` is a folder in which `ext4`
//! and `xfs` are mounted with quotas of projects, and `plain` is an ext4 without.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a failure is a panic, and one of them is a program whose word is its output"
)]

use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use aipress_drivers::DataPaths;
use aipress_drivers::DiskHeld;
use aipress_drivers::Files;
use aipress_drivers::LoginToken;
use aipress_drivers::PackagePlace;
use aipress_drivers::Packages;
use aipress_drivers::ShardIds;
use aipress_drivers::ShardPaths;
use aipress_drivers::Share;
use aipress_drivers::Slot;
use aipress_drivers::Told;
use aipress_drivers::ToldLimit;
use aipress_drivers::UidPlan;
use aipress_drivers::local::LocalFiles;
use aipress_drivers::local::LocalShare;
use aipress_drivers::local::quota;
use aipress_packages::build::ZipBuilder;
use aipress_types::ShardId;
use aipress_types::TenantUid;
use aipress_types::package::PackageKind;

const MB: u64 = 1024 * 1024;
/// What a file system counts beside what files hold: folders, their own lists of blocks.
const SLACK: u64 = MB;
/// Where this program, started again as a site's user, is told what to write.
const WRITE: &str = "AIPRESS_QUOTA_WRITE";
/// XFS forgets what was removed a moment later.
const PATIENCE: Duration = Duration::from_secs(60);

struct Shard {
    paths: ShardPaths,
    ids: ShardIds,
    files: LocalFiles,
}

impl Shard {
    fn on(disk: &str) -> Self {
        let data = disks().join(disk).join("data");
        let shard = ShardId::from_number(1).unwrap();
        let paths = DataPaths::new(data).unwrap().shard(shard);
        let ids = UidPlan::detect(70_000).shard(shard).unwrap();
        let files = LocalFiles::open(&paths, ids, Vec::new()).unwrap();
        Self { paths, ids, files }
    }

    async fn site(&self, slot: u32) -> Site<'_> {
        let (uid, slot) = (TenantUid(uuid::Uuid::new_v4()), Slot::new(slot).unwrap());
        self.files.ensure_slot(slot).await.unwrap();
        self.files.ensure_site(uid, slot).await.unwrap();
        Site { shard: self, uid, slot }
    }
}

struct Site<'s> {
    shard: &'s Shard,
    uid: TenantUid,
    slot: Slot,
}

impl Site<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.shard.paths.site(self.uid).join(below)
    }

    async fn hold(&self, bytes_max: u64) -> DiskHeld {
        self.shard.files.hold(self.uid, self.slot, bytes_max).await.unwrap().unwrap()
    }

    /// What it takes once what was removed is forgotten and what was written is counted.
    async fn takes(&self, bytes_max: u64, wanted: impl Fn(DiskHeld) -> bool) -> DiskHeld {
        let deadline = Instant::now() + PATIENCE;
        loop {
            sync();
            let held = self.hold(bytes_max).await;
            if wanted(held) || Instant::now() > deadline {
                return held;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes so many bytes as the site's user does; how many went in, and the error that ended it.
    fn write(&self, path: &Path, bytes: u64) -> (u64, Option<ErrorKind>) {
        let ids = self.shard.ids.slot(self.slot);
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "write_as_a_site", "--ignored", "--nocapture"])
            .env(WRITE, format!("{bytes} {}", path.display()))
            .uid(ids.uid)
            .gid(ids.gid)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = text.lines().find_map(|line| line.split_once("wrote ")).unwrap_or_else(|| {
            panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
        });
        let (written, error) = said.1.split_once(' ').unwrap();
        let error = match error {
            "none" => None,
            // XFS says of a project that is full what it says of a full disk.
            "122" | "28" => Some(ErrorKind::QuotaExceeded),
            other => panic!("error {other}"),
        };
        (written.parse().unwrap(), error)
    }
}

/// What a site's user does, in a process of its own.
#[test]
#[ignore = "started by the others"]
fn write_as_a_site() {
    let Ok(order) = std::env::var(WRITE) else { return };
    let (bytes, path) = order.split_once(' ').unwrap();
    let mut left: u64 = bytes.parse().unwrap();
    let mut written = 0;
    let piece = vec![b'x'; 64 * 1024];
    let end = (|| {
        let mut file = fs::File::create(path)?;
        while left > 0 {
            let count = file.write(&piece[..piece.len().min(left as usize)])?;
            written += count as u64;
            left -= count as u64;
        }
        file.sync_all()
    })();
    let error =
        end.err().map_or("none".to_owned(), |error| error.raw_os_error().unwrap().to_string());
    println!("wrote {written} {error}");
}

fn disks() -> PathBuf {
    std::env::var_os("AIPRESS_QUOTA_DISKS").expect("scripts/quotas says where the disks are").into()
}

fn sync() {
    rustix::fs::sync();
}

/// Bytes and entries of a tree, as du(1) counts them.
fn du(path: &Path) -> (u64, u64) {
    let found = path.symlink_metadata().unwrap();
    let mut sum = (found.blocks() * 512, 1);
    if found.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let below = du(&entry.unwrap().path());
            sum = (sum.0 + below.0, sum.1 + below.1);
        }
    }
    sum
}

async fn life_of_a_full_site(disk: &str, name: &str) {
    assert_eq!(quota::look(&disks().join(disk)), Ok(name));
    let shard = Shard::on(disk);
    let (full, other) = (shard.site(1).await, shard.site(2).await);
    let most = 8 * MB;
    full.hold(most).await;
    other.hold(most).await;
    over_its_limit(&full, &other, most).await;
    a_plugin_into_a_full_site(&full, most).await;
    // More room, and it goes on at once.
    let upload = full.path("wp-content/uploads/more");
    assert_eq!(full.write(&upload, 4 * MB).1, Some(ErrorKind::QuotaExceeded));
    full.hold(4 * most).await;
    assert_eq!(full.write(&upload, 4 * MB), (4 * MB, None));
    trash_and_slot(&shard, &full, most).await;
    from_before_quotas(&shard, disk, most).await;
}

async fn over_its_limit(full: &Site<'_>, other: &Site<'_>, most: u64) {
    let upload = full.path("wp-content/uploads/film");
    let (written, error) = full.write(&upload, 3 * most);
    assert_eq!(error, Some(ErrorKind::QuotaExceeded), "{written} bytes written");
    assert!(written <= most && written > most - SLACK, "{written} of {most}");
    let held = full.takes(most, |held| held.bytes > most - SLACK).await;
    assert!(held.bytes <= most && held.bytes > most - SLACK, "{held:?}");
    // What it takes is what du says, its temporary folder included.
    let (site, tmp) = (du(&full.path("")), du(&full.shard.paths.slot_tmp(full.slot)));
    assert_eq!(held.files, site.1 + tmp.1);
    assert!(held.bytes.abs_diff(site.0 + tmp.0) <= 64 * 1024, "{held:?} {site:?} {tmp:?}");
    // Its owner can sign in, to delete something; and the limit is what it was.
    let token =
        LoginToken { sha256_hex: "ab".repeat(32), login: None, expires_unix_s: 2_000_000_000 };
    let (files, now) = (&full.shard.files, 1_900_000_000);
    files.write_login_token(full.uid, full.slot, &token, now).await.unwrap();
    let id = project(&full.path(""));
    let root = fs::File::open(full.path("")).unwrap();
    assert_eq!(aipress_kit::project_quota::usage(&root, id).unwrap().most.bytes, most);
    // Neither does a temporary file fit, nor what is moved from there.
    let upload = full.shard.paths.slot_tmp(full.slot).join("upload");
    assert_eq!(full.write(&upload, MB).1, Some(ErrorKind::QuotaExceeded));
    // The other one notices nothing, and moves what was sent to it out of its temporary folder.
    let sent = other.shard.paths.slot_tmp(other.slot).join("sent");
    assert_eq!(other.write(&sent, 2 * MB), (2 * MB, None));
    fs::rename(&sent, other.path("wp-content/uploads/sent")).unwrap();
    // What is another project's can't come in.
    let film = full.path("wp-content/uploads/film");
    let error = fs::rename(&film, other.path("wp-content/uploads/stolen")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CrossesDevices, "{error}");
}

async fn a_plugin_into_a_full_site(full: &Site<'_>, most: u64) {
    let archive = full.shard.paths.dir().join("plugin.zip");
    fs::write(&archive, ZipBuilder::plugin("hello", "1.0", "// hello").bytes()).unwrap();
    let (uid, slot, name) = (full.uid, full.slot, "hello".to_owned());
    let place = PackagePlace { uid, slot, kind: PackageKind::Plugin, name };
    let staged = full.shard.files.stage(&place, &archive).await;
    match staged {
        // Root is not held by ext4: what the owner of a site asked for is one small archive more.
        Ok(_) => {}
        // XFS holds root, too: nothing is installed, and it is said why.
        Err(error) => {
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("os error 28") || source.contains("os error 122"), "{source}");
            full.hold(2 * most).await;
            full.shard.files.stage(&place, &archive).await.unwrap();
        }
    }
    full.shard.files.swap(&place).await.unwrap();
    assert!(full.path("wp-content/plugins/hello/hello.php").exists());
    // The same again, exchanged with what stands there, and back.
    full.hold(2 * most).await;
    full.shard.files.stage(&place, &archive).await.unwrap();
    full.shard.files.swap(&place).await.unwrap();
    full.shard.files.swap(&place).await.unwrap();
    Packages::clear_beside(&full.shard.files, full.uid).await.unwrap();
    full.hold(most).await;
}

async fn trash_and_slot(shard: &Shard, full: &Site<'_>, most: u64) {
    let before = full.takes(4 * most, |_| true).await;
    shard.files.clear_slot(full.slot).await.unwrap();
    shard.files.trash_site(full.uid).await.unwrap();
    // Its slot's next site begins with nothing.
    let heir = shard.site(full.slot.number()).await;
    let held = heir.takes(most, |held| held.bytes < SLACK).await;
    assert!(held.bytes < SLACK && held.files < 30, "{held:?}");
    // Brought back into another slot it takes what it took.
    let slot = Slot::new(3).unwrap();
    shard.files.ensure_slot(slot).await.unwrap();
    shard.files.restore_site(full.uid, slot).await.unwrap();
    shard.files.ensure_site(full.uid, slot).await.unwrap();
    let back = Site { shard, uid: full.uid, slot };
    let held = back.takes(4 * most, |held| held.bytes + SLACK > before.bytes).await;
    assert!(held.bytes.abs_diff(before.bytes) < SLACK, "{held:?} {before:?}");
    // Erased, its number is nobody's: no limit, and in the end nothing that it takes.
    let id = project(&back.path(""));
    shard.files.clear_slot(slot).await.unwrap();
    shard.files.erase_site(full.uid).await.unwrap();
    let root = fs::File::open(shard.paths.sites()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        sync();
        let left = aipress_kit::project_quota::usage(&root, id).unwrap();
        if left == aipress_kit::project_quota::Usage::default() {
            break;
        }
        assert!(Instant::now() < deadline, "{left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A site that was made before its file system had quotas is taken in as a whole.
async fn from_before_quotas(shard: &Shard, disk: &str, most: u64) {
    let site = shard.site(4).await;
    let none = aipress_kit::project_quota::Project::NONE;
    let folders = ["", "wp-content", "wp-content/uploads", "private", "wp-content/plugins"];
    for folder in folders {
        let folder = fs::File::open(site.path(folder)).unwrap();
        aipress_kit::project_quota::set_project(&folder, none).unwrap();
    }
    assert_eq!(site.write(&site.path("wp-content/uploads/old"), MB), (MB, None));
    assert_eq!(project(&site.path("wp-content/uploads/old")), 0);
    site.hold(most).await;
    let id = project(&site.path(""));
    assert!(id >= 1 << 30);
    for path in folders.into_iter().chain(["wp-content/uploads/old"]) {
        assert_eq!(project(&site.path(path)), id, "{path} on {disk}");
    }
    let held = site.takes(most, |held| held.bytes >= MB).await;
    assert!(held.bytes >= MB && held.bytes < MB + SLACK, "{held:?}");
    assert_eq!(site.write(&site.path("wp-content/new"), most).1, Some(ErrorKind::QuotaExceeded));
}

fn project(path: &Path) -> u32 {
    aipress_kit::project_quota::project(fs::File::open(path).unwrap()).unwrap().id
}

#[tokio::test]
#[ignore = "needs a kernel and file systems with project quotas: make test-quotas"]
async fn ext4_holds_a_site_to_its_disk() {
    life_of_a_full_site("ext4", "ext4").await;
}

#[tokio::test]
#[ignore = "needs a kernel and file systems with project quotas: make test-quotas"]
async fn xfs_holds_a_site_to_its_disk() {
    life_of_a_full_site("xfs", "XFS").await;
}

#[tokio::test]
#[ignore = "needs a kernel and file systems with project quotas: make test-quotas"]
async fn a_file_system_without_quotas_says_why_and_what_to_do() {
    let no = quota::look(&disks().join("plain")).unwrap_err();
    assert_eq!(no.why, "ext4: quotas of projects are not switched on");
    assert!(no.remedy.contains("tune2fs -O project,quota"), "{no:?}");
    let shard = Shard::on("plain");
    let site = shard.site(1).await;
    assert_eq!(shard.files.hold(site.uid, site.slot, MB).await.unwrap(), None);
    // There a mark holds it, which the next control plane finds with what the site was told.
    let share = LocalShare::open(&shard.paths, shard.ids);
    assert_eq!(share.told(site.slot).await.unwrap(), Told::default());
    let limits = vec![ToldLimit { limit: "disk".to_owned(), words: "Full.".to_owned() }];
    share.tell_limits(site.slot, &limits).await.unwrap();
    share.set_full(site.slot, true).await.unwrap();
    assert_eq!(share.told(site.slot).await.unwrap(), Told { is_full: true, limits });
    share.tell_limits(site.slot, &[]).await.unwrap();
    share.set_full(site.slot, false).await.unwrap();
    assert_eq!(share.told(site.slot).await.unwrap(), Told::default());
    // One that accounts but holds nobody is not taken for one that does.
    let no = quota::look(&disks().join("counting")).unwrap_err();
    assert_eq!(no.why, "ext4: quotas of projects are not switched on");
}
