//! php-fpm: workers run as their slot and end with their tenant; what a slot's PHP can open.

use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use aipress_drivers::Drivers;
use aipress_drivers::Recycle;
use aipress_drivers::Slot;
use aipress_drivers::UnitCommand;
use aipress_drivers::local::fpm::OpenBasedir;
use aipress_drivers::local::fpm::PING_PATH;
use aipress_drivers::local::fpm::PhpFpmOptions;
use aipress_drivers::local::fpm::PhpInstall;
use aipress_drivers::local::fpm::prepare;
use aipress_types::TenantUid;

use crate::conformance;
use crate::machine::Machine;
use crate::machine::fresh_uid;
use crate::machine::is_root;
use crate::machine::owner;
use crate::machine::until;

/// A FastCGI request in a few lines; the gateway has the real client.
pub(crate) fn ask(socket: &Path, script: &Path, query: &str) -> String {
    let script = script.display().to_string();
    let text = |pairs: &[(&str, &str)]| {
        pairs.iter().fold(Vec::new(), |mut out, (name, value)| {
            out.extend([name.len() as u8, value.len() as u8]);
            out.extend(name.bytes().chain(value.bytes()));
            out
        })
    };
    let params = text(&[
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_FILENAME", &script),
        ("SCRIPT_NAME", if script.starts_with("/.aipress") { &script } else { "/x.php" }),
        ("QUERY_STRING", query),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
    ]);
    let record = |kind: u8, body: &[u8]| {
        let length = (body.len() as u16).to_be_bytes();
        [&[1, kind, 0, 1, length[0], length[1], 0, 0], body].concat()
    };
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request =
        [record(1, &[0, 1, 0, 0, 0, 0, 0, 0]), record(4, &params), record(4, &[]), record(5, &[])];
    stream.write_all(&request.concat()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(head) = answer.get(at..at + 8) {
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        if head[1] == 6 {
            out.extend_from_slice(&answer[at + 8..at + 8 + length]);
        }
        at += 8 + length + usize::from(head[6]);
    }
    let out = String::from_utf8_lossy(&out).into_owned();
    out.split_once("\r\n\r\n").map_or(out.clone(), |(_, body)| body.to_owned())
}

pub(crate) struct Shard {
    pub(crate) machine: Machine,
    pub(crate) drivers: Drivers,
}

/// The command that is after `--` of the one that makes the mounts.
fn without_mounts(unit: UnitCommand) -> UnitCommand {
    let at = unit.args.iter().position(|argument| argument == "--");
    let Some(at) = at.filter(|_| unit.program.ends_with("unshare")) else { return unit };
    let program = unit.args[at + 1].clone().into();
    UnitCommand { program, args: unit.args[at + 2..].to_vec(), ..unit }
}

pub(crate) fn slot(number: u32) -> Slot {
    Slot::new(number).unwrap()
}

impl Shard {
    pub(crate) async fn start(open_basedir: Option<OpenBasedir>) -> Self {
        Self::start_with(open_basedir, |ini| ini).await
    }

    /// Starts as on a machine that gives no mount namespaces.
    pub(crate) async fn start_unconfined() -> Self {
        Self::start_changed(None, |ini| ini, without_mounts).await
    }

    /// Starts with a php.ini that was changed.
    pub(crate) async fn start_with(
        open_basedir: Option<OpenBasedir>,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        Self::start_changed(open_basedir, change, |unit| unit).await
    }

    async fn start_changed(
        open_basedir: Option<OpenBasedir>,
        change: impl FnOnce(String) -> String,
        change_unit: impl FnOnce(UnitCommand) -> UnitCommand,
    ) -> Self {
        let machine = Machine::new();
        machine.prepare_mariadb();
        machine.prepare_redis();
        let drivers = machine.drivers();
        let mut options = PhpFpmOptions::new(PhpInstall::detect().unwrap());
        options.opcache_mib = 32;
        if let Some(basedir) = open_basedir {
            options.open_basedir = basedir;
        }
        let unit = change_unit(prepare(&machine.paths, &machine.ids, &options).unwrap());
        let ini = machine.paths.php().join("php.ini");
        let text = change(std::fs::read_to_string(&ini).unwrap());
        std::fs::remove_file(&ini).unwrap();
        std::fs::write(&ini, text).unwrap();
        machine.start("php-fpm", &unit);
        until("php-fpm", || async { drivers.php.health().await }).await;
        Self { machine, drivers }
    }

    pub(crate) async fn site(&self, number: u32) -> TenantUid {
        let uid = fresh_uid();
        self.drivers.files.ensure_slot(slot(number)).await.unwrap();
        self.drivers.files.ensure_site(uid, slot(number)).await.unwrap();
        uid
    }

    /// Writes a file of the site that its slot's user can read.
    pub(crate) fn put(
        &self,
        number: u32,
        uid: TenantUid,
        name: &str,
        text: &str,
    ) -> std::path::PathBuf {
        let path = self.machine.paths.site(uid).join("wp-content").join(name);
        std::fs::write(&path, text).unwrap();
        let ids = self.machine.ids.slot(slot(number));
        std::os::unix::fs::chown(&path, Some(ids.uid), Some(ids.gid)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        path
    }

    pub(crate) fn ask(&self, number: u32, script: &Path, query: &str) -> String {
        ask(&self.machine.paths.fpm_socket(slot(number)), script, query)
    }
}

#[tokio::test]
async fn workers_run_as_their_slot_and_end_with_their_tenant() {
    if !is_root() {
        return;
    }
    let shard = Shard::start(None).await;
    conformance::php(&shard.drivers).await;
    let uid = shard.site(3).await;
    let gateway = shard.machine.ids.gateway();
    let socket = shard.machine.paths.fpm_socket(slot(3));
    assert_eq!(owner(&socket), (gateway.uid, gateway.gid, 0o600));
    assert_eq!(shard.ask(3, Path::new(PING_PATH), ""), "pong");

    let page = shard.put(
        3,
        uid,
        "who.php",
        "<?php echo posix_geteuid(), ' ', posix_getegid(), ' ', implode(',', posix_getgroups()), ' ',
        sys_get_temp_dir(), ' ', session_save_path(), ' ', decoct(umask()), ' ',
        function_exists('mail') ? 'mails' : 'silent', ' ', getenv('PATH') ? 'env' : 'clear', ' ',
        extension_loaded('redis') && extension_loaded('mysqli') && extension_loaded('gd') ? 'all' : 'lacks', ' ',
        function_exists('opcache_reset') || function_exists('exec') ? 'risky' : 'safe', ' ',
        function_exists('opcache_invalidate') ? 'can' : 'cannot', ' ', php_ini_scanned_files() ? 'scan' : 'own';",
    );
    let own = shard.machine.ids.slot(slot(3));
    let tmp = shard.machine.paths.slot_tmp(slot(3));
    let expected = format!(
        "{0} {1} {1} {2} {2}/sessions 27 silent clear all safe can own",
        own.uid,
        own.gid,
        tmp.display()
    );
    assert_eq!(shard.ask(3, &page, ""), expected);

    let workers = shard.drivers.php.inventory().await.unwrap();
    // One, or two where the first was not idle yet when the page was asked for.
    let all_of_slot = workers.iter().all(|worker| worker.slot == slot(3) && !worker.orphan);
    assert!(!workers.is_empty() && all_of_slot, "{workers:?}");
    assert_eq!(shard.drivers.php.recycle_slot(slot(2), Recycle::Kill).await.unwrap(), 0);
    let former: Vec<u32> = workers.iter().map(|worker| worker.pid).collect();
    let ended = shard.drivers.php.recycle_slot(slot(3), Recycle::Kill).await.unwrap();
    // The second may be on its way only now.
    assert!(ended as usize >= former.len(), "{ended} of {former:?}");
    let workers = shard.drivers.php.inventory().await.unwrap();
    assert!(workers.iter().all(|worker| !former.contains(&worker.pid)), "{workers:?}");
    assert_eq!(shard.ask(3, Path::new(PING_PATH), ""), "pong", "the pool goes on");

    // Gracefully: the request that is under way ends as it should.
    let slow = shard.put(3, uid, "slow.php", "<?php usleep(700000); echo 'whole';");
    let socket = socket.clone();
    let asking = std::thread::spawn(move || ask(&socket, &slow, ""));
    wait_for_worker(&shard, slot(3)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(shard.drivers.php.recycle_slot(slot(3), Recycle::Graceful).await.unwrap() >= 1);
    assert_eq!(asking.join().unwrap(), "whole");
}

#[tokio::test]
async fn those_that_began_before_are_retired_after_their_request_and_later_ones_are_left_alone() {
    let shard = Shard::start(None).await;
    let uid = shard.site(4).await;
    let waits = "<?php touch(__DIR__ . '/begun'); while (!file_exists(__DIR__ . '/go')) { \
                 usleep(10000); clearstatcache(); } echo 'whole';";
    let page = shard.put(4, uid, "waits.php", waits);
    let (socket, file) = (shard.machine.paths.fpm_socket(slot(4)), page.clone());
    let asking = std::thread::spawn(move || ask(&socket, &file, ""));
    let begun = page.with_file_name("begun");
    let started = Instant::now();
    while !begun.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "the request does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let php = &shard.drivers.php;
    let seen = php.processes(slot(4)).await.unwrap();
    assert!(!seen.is_empty());
    assert!(php.retire(slot(4), &seen).await.unwrap() >= 1, "it is at its request");
    assert_eq!(shard.ask(4, Path::new(PING_PATH), ""), "pong", "another answers");
    std::fs::write(page.with_file_name("go"), "").unwrap();
    assert_eq!(asking.join().unwrap(), "whole");
    let started = Instant::now();
    while php.retire(slot(4), &seen).await.unwrap() > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "they do not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Whoever came later is nobody of those.
    assert_eq!(shard.ask(4, Path::new(PING_PATH), ""), "pong");
    let later = php.processes(slot(4)).await.unwrap();
    assert_eq!(php.retire(slot(4), &seen).await.unwrap(), 0);
    assert_eq!(php.processes(slot(4)).await.unwrap(), later);
}

#[tokio::test]
async fn orphans_of_a_killed_master_are_seen_and_ended() {
    let shard = Shard::start(None).await;
    let uid = shard.site(1).await;
    let page = shard.put(1, uid, "x.php", "<?php echo 'x';");
    assert_eq!(shard.ask(1, &page, ""), "x");
    shard.machine.kill("php-fpm");
    let workers = shard.drivers.php.inventory().await.unwrap();
    assert!(workers.iter().all(|worker| worker.orphan) && workers.len() == 1, "{workers:?}");
    assert_eq!(shard.drivers.php.recycle_slot(slot(1), Recycle::Kill).await.unwrap(), 1);
    assert!(shard.drivers.php.inventory().await.unwrap().is_empty());
}

async fn wait_for_worker(shard: &Shard, slot: Slot) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        let workers = shard.drivers.php.inventory().await.unwrap();
        if workers.iter().any(|worker| worker.slot == slot) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no worker came");
}

/// PHP that reads a path given by query and says what came of it.
const READ: &str = "<?php echo @file_get_contents($_GET['f']) ?: 'nothing';";

#[tokio::test]
async fn open_basedir_holds_to_the_slots_own_site_and_follows_the_slot() {
    let shard = Shard::start(None).await;
    let (mine, other) = (shard.site(1).await, shard.site(2).await);
    let reader = shard.put(1, mine, "read.php", READ);
    let own = shard.put(1, mine, "own.txt", "own");
    let foreign = shard.put(2, other, "foreign.txt", "foreign");
    // Readable by everybody, so that only open_basedir stands in the way.
    let paths = &shard.machine.paths;
    for open in [paths.site(other), paths.site(other).join("wp-content"), foreign.clone()] {
        std::fs::set_permissions(open, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let read = |path: &Path| shard.ask(1, &reader, &format!("f={}", path.display()));
    assert_eq!(read(&own), "own");
    assert_eq!(read(&paths.slot(slot(1)).join("site/wp-content/own.txt")), "own", "by the link");
    assert_eq!(read(&foreign), "nothing");
    assert_eq!(read(&paths.slot(slot(2)).join("site/wp-content/foreign.txt")), "nothing");
    assert_eq!(read(Path::new("/etc/passwd")), "nothing");

    // The slot changes its tenant under a living worker: the link is resolved for each request.
    let files = &shard.drivers.files;
    files.clear_slot(slot(1)).await.unwrap();
    files.ensure_slot(slot(1)).await.unwrap();
    let next = fresh_uid();
    files.ensure_site(next, slot(1)).await.unwrap();
    let reader = shard.put(1, next, "read.php", READ);
    let answer = shard.ask(1, &reader, &format!("f={}", own.display()));
    assert_eq!(answer, "nothing", "the former tenant's file");
}

#[tokio::test]
async fn without_open_basedir_the_same_reads_succeed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let prepended = dir.path().join("empty.php");
    std::fs::write(&prepended, "<?php").unwrap();
    let shard = Shard::start(Some(OpenBasedir::Prepended(prepended))).await;
    let mine = shard.site(1).await;
    let reader = shard.put(1, mine, "read.php", READ);
    assert_ne!(shard.ask(1, &reader, "f=/etc/passwd"), "nothing");
    if !is_root() {
        return;
    }
    // Unix permissions still stand.
    let other = shard.site(2).await;
    let foreign = shard.put(2, other, "foreign.txt", "foreign");
    assert_eq!(shard.ask(1, &reader, &format!("f={}", foreign.display())), "nothing");
}

/// Pools of a master share the opcode cache: whether a neighbour gets at a cached script that was
/// asked for on `socket`, one of slot 2.
pub(crate) async fn neighbour_includes(shard: &Shard, socket: &Path) -> String {
    let (mine, other) = (shard.site(1).await, shard.site(2).await);
    let foreign = shard.put(2, other, "secret.php", "<?php echo 'secret';");
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    // A file younger than two seconds is not cached.
    std::fs::File::open(&foreign).unwrap().set_modified(hour_ago).unwrap();
    assert_eq!(ask(socket, &foreign, ""), "secret");
    let attack = shard.put(1, mine, "attack.php", "<?php @include $_GET['f']; echo '.';");
    shard.ask(1, &attack, &format!("f={}", foreign.display()))
}

/// A php.ini that lets a cached script be included by whoever cannot read its file.
pub(crate) fn without_guard(ini: String) -> String {
    let guard = "opcache.validate_permission=1";
    assert!(ini.contains(guard));
    ini.replace(guard, "opcache.validate_permission=0")
}

#[tokio::test]
async fn a_neighbours_script_stays_its_own_in_the_shared_opcode_cache() {
    if !is_root() {
        return;
    }
    let pool = |shard: &Shard| shard.machine.paths.fpm_socket(slot(2));
    let shard = Shard::start(None).await;
    assert_eq!(neighbour_includes(&shard, &pool(&shard)).await, ".");
    drop(shard);
    let shard = Shard::start_with(None, without_guard).await;
    let seen = neighbour_includes(&shard, &pool(&shard)).await;
    assert_eq!(seen, "secret.", "the guard is what stops it");
}
