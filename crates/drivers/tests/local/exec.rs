//! Commands in a slot's sandbox: as whom, with what, and that nothing of them is left.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use aipress_drivers::DriverError;
use aipress_drivers::Exec;
use aipress_drivers::ExecCall;
use aipress_drivers::ExecChunk;
use aipress_drivers::ExecExit;
use aipress_drivers::ExecOutput;
use aipress_drivers::SiteConfig;
use aipress_drivers::files::SITE_CONFIG_VERSION;
use aipress_drivers::files::SiteConfigDatabase;
use aipress_drivers::local::LocalExec;
use aipress_drivers::local::Programs;
use aipress_drivers::local::fpm::PhpFpmOptions;
use aipress_drivers::local::fpm::PhpInstall;
use aipress_drivers::local::fpm::is_confined;
use aipress_drivers::local::fpm::prepare;
use aipress_types::Secret;
use aipress_types::TenantUid;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::machine::Machine;
use crate::machine::fresh_uid;
use crate::machine::is_root;
use crate::machine::until;
use crate::php::slot;

/// A slot with a site, and a PHP folder whose `agent.php` is the test's.
struct Sandbox {
    machine: Machine,
    exec: Arc<LocalExec>,
    uid: TenantUid,
}

impl Sandbox {
    async fn with(code: &str) -> Self {
        let machine = Machine::new();
        machine.prepare_mariadb();
        machine.prepare_redis();
        let install = PhpInstall::detect().unwrap();
        let php = install.cli.clone();
        prepare(&machine.paths, &machine.ids, &PhpFpmOptions::new(install)).unwrap();
        let drivers = machine.drivers();
        let uid = fresh_uid();
        drivers.files.ensure_slot(slot(1)).await.unwrap();
        drivers.files.ensure_site(uid, slot(1)).await.unwrap();
        let data = machine.paths.data();
        let (php_dir, core_dir) = (data.php().join("test"), data.core("7.1"));
        let php_files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../php");
        for dir in [&php_dir, &core_dir] {
            std::fs::create_dir_all(dir).unwrap();
        }
        for dir in php_dir.ancestors().chain(core_dir.ancestors()) {
            if dir.starts_with(data.root()) {
                std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
            }
        }
        for file in ["prepend.php", "mail.php"] {
            std::fs::copy(php_files.join(file), php_dir.join(file)).unwrap();
        }
        std::fs::write(php_dir.join("agent.php"), code).unwrap();
        let config = SiteConfig {
            version: SITE_CONFIG_VERSION,
            uid,
            name: "bakery".to_owned(),
            generation: 1,
            home: "http://bakery.localhost".to_owned(),
            hosts: Vec::new(),
            core_dir,
            site_dir: machine.paths.site(uid),
            tmp_dir: machine.paths.slot_tmp(slot(1)),
            db: SiteConfigDatabase {
                socket: PathBuf::from("/none"),
                name: "t".to_owned(),
                user: "t".to_owned(),
                password: Secret::new("x"),
            },
            redis: None,
            salts: std::collections::BTreeMap::new(),
            env: Default::default(),
            security: Default::default(),
        };
        drivers.files.write_site_json(slot(1), &config).await.unwrap();
        let programs = Programs { php, php_dir, wp_cli: None, confined_by: None };
        let exec = Arc::new(LocalExec::open(&machine.paths, machine.ids, programs));
        Self { machine, exec, uid }
    }

    fn call(&self, args: &[&str]) -> ExecCall {
        ExecCall::agent(self.uid, slot(1), args)
    }

    async fn ask(&self, args: &[&str]) -> ExecOutput {
        self.exec.output(self.call(args)).await.unwrap()
    }

    /// Processes whose command line has this data folder's `agent.php`.
    fn left(&self) -> Vec<String> {
        let agent = self.machine.paths.data().php().join("test/agent.php");
        let agent = agent.display().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap_or_default();
            if name.parse::<u32>().is_ok() {
                let line = std::fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                if line.contains(&agent) {
                    found.push(line);
                }
            }
        }
        found
    }
}

const WHO: &str = r#"<?php
fwrite(STDERR, "to err\n");
echo posix_geteuid(), ' ', posix_getegid(), ' ', implode(',', posix_getgroups()), ' ', decoct(umask()), "\n",
    implode('|', array_slice($argv, 1)), "\n", stream_get_contents(STDIN), "\n",
    implode(',', array_diff(array_keys(getenv()), ['PWD', 'SHLVL', '_', 'OLDPWD'])), "\n",
    getcwd(), "\n", ini_get('open_basedir'), "\n",
    function_exists('exec') || function_exists('proc_open') || function_exists('pcntl_fork') ? 'risky' : 'safe', ' ',
    extension_loaded('mysqli') && extension_loaded('redis') ? 'all' : 'lacks', ' ', ini_get('display_errors'), "\n",
    implode(' ', array_map(fn($l) => trim(preg_replace('/ +/', ' ', $l)), [])), "\n";
exit(7);
"#;

#[tokio::test]
async fn a_command_runs_as_its_slot_with_its_arguments_and_nothing_else() {
    let sandbox = Sandbox::with(WHO).await;
    let odd = ["a b", "", "new\nline", "$(id) `id` ; ' \" \\", "--path=/etc", "ü"];
    let mut call = sandbox.call(&odd);
    call.input = Bytes::from_static(b"from stdin");
    let output = sandbox.exec.output(call).await.unwrap();
    let out = String::from_utf8(output.out).unwrap();
    assert_eq!(output.exit, ExecExit::Code(7), "{out} {}", String::from_utf8_lossy(&output.err));
    assert_eq!(output.err, b"to err\n");
    let own = sandbox.machine.ids.slot(slot(1));
    let groups = if is_root() { String::new() } else { out.split(' ').nth(2).unwrap().to_owned() };
    let first = format!("{} {} {groups} 27\n", own.uid, own.gid);
    assert!(out.starts_with(&first), "{out} should begin with {first}");
    assert!(out.contains(&format!("\n{}\nfrom stdin\n", odd.join("|"))), "{out}");
    let env = "PATH,LC_ALL,PHP_INI_SCAN_DIR,HOME,TMPDIR,AIPRESS_CORE_DIR,AIPRESS_SLOT_DIR,AIPRESS_TENANT_UID";
    let mut names: Vec<&str> = env.split(',').collect();
    names.sort_unstable();
    let line = out.lines().rev().nth(4).unwrap();
    let mut seen: Vec<&str> = line.split(',').collect();
    seen.sort_unstable();
    assert_eq!(seen, names, "{out}");
    assert!(out.contains("\nsafe all 0\n"), "{out}");
    assert!(out.contains(&format!("/sites/{}/", sandbox.uid)), "{out}");
    assert_eq!(sandbox.left(), Vec::<String>::new());
}

const LIMITS: &str = r#"<?php
$limit = [];
foreach (posix_getrlimit() as $name => $value) { $limit[$name] = $value; }
switch ($argv[1]) {
    case 'limits': echo json_encode($limit); break;
    case 'memory': ini_set('memory_limit', '-1'); $a = str_repeat('x', 2000 << 20); echo strlen($a); break;
    case 'file': $f = fopen($argv[2], 'w'); $ok = ftruncate($f, 2 << 30); echo json_encode($ok); break;
    case 'native': $c = curl_init(); @curl_setopt($c, CURLOPT_SSLENGINE, $argv[2]); echo 'asked'; break;
    case 'read': echo json_encode(@file_get_contents($argv[2])); break;
    case 'ps': echo posix_getpid(); break;
    case 'loop': while (true) {}
    case 'flood': while (true) { echo str_repeat('x', 65536); }
    case 'sleep': cli_set_process_title('php-fpm: pool nobody'); echo "begun\n"; sleep(600); break;
}
"#;

#[tokio::test]
async fn limits_hold_whatever_the_code_does() {
    let sandbox = Sandbox::with(LIMITS).await;
    let limits: serde_json::Value =
        serde_json::from_slice(&sandbox.ask(&["limits"]).await.out).unwrap();
    assert_eq!(limits["hard core"], 0, "{limits}");
    assert_eq!(limits["hard data"], 768 << 20);
    assert_eq!(limits["hard openfiles"], 256);
    if is_root() {
        assert_eq!(limits["hard maxproc"], 96);
    }
    let memory = sandbox.ask(&["memory"]).await;
    assert!(!memory.succeeded() && memory.out.is_empty(), "{memory:?}");
    let file = sandbox.machine.paths.slot_tmp(slot(1)).join("big");
    assert_ne!(sandbox.ask(&["file", file.to_str().unwrap()]).await.out, b"true");
    // Of its own; of the shard's; of the machine's.
    let json = sandbox.machine.paths.slot(slot(1)).join("site.json");
    assert!(sandbox.ask(&["read", json.to_str().unwrap()]).await.out.starts_with(b"\"{"));
    for closed in ["/etc/passwd", "/proc/1/environ"] {
        assert_eq!(sandbox.ask(&["read", closed]).await.out, b"false", "{closed}");
    }
    if is_root() && is_confined() {
        assert_eq!(sandbox.ask(&["ps"]).await.out, b"1", "the first of its own namespace");
    }
}

#[tokio::test]
async fn nothing_is_left_at_the_time_limit_or_when_nobody_listens() {
    let sandbox = Sandbox::with(LIMITS).await;
    for what in ["loop", "sleep", "flood"] {
        let mut call = sandbox.call(&[what]);
        call.time_limit = Duration::from_millis(700);
        let begun = Instant::now();
        let output = sandbox.exec.output(call).await.unwrap();
        assert_eq!(output.exit, ExecExit::TimedOut, "{what}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        assert_eq!(sandbox.left(), Vec::<String>::new(), "{what}");
    }
    // The one who listens goes away.
    let (sender, mut receiver) = mpsc::channel(1);
    let (exec, call) = (Arc::clone(&sandbox.exec), sandbox.call(&["sleep"]));
    let run = tokio::spawn(async move { exec.run(call, sender).await });
    assert_eq!(receiver.recv().await, Some(ExecChunk::Out(Bytes::from_static(b"begun\n"))));
    assert!(!sandbox.left().is_empty(), "else this proves nothing");
    drop(receiver);
    run.await.unwrap().unwrap();
    assert_eq!(sandbox.left(), Vec::<String>::new());
    // Whoever runs it is dropped.
    let (sender, mut receiver) = mpsc::channel(1);
    let mut run = sandbox.exec.run(sandbox.call(&["sleep"]), sender);
    tokio::select! {
        _ = &mut run => panic!("it ended"),
        _ = receiver.recv() => {}
    }
    drop(run);
    assert_eq!(sandbox.left(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_more_than_may_run_waits_its_turn_and_is_refused() {
    let sandbox = Sandbox::with(LIMITS).await;
    let (sender, mut receiver) = mpsc::channel(4);
    let runs: Vec<_> = (0..2)
        .map(|_| {
            let (exec, call) = (Arc::clone(&sandbox.exec), sandbox.call(&["sleep"]));
            let sender = sender.clone();
            tokio::spawn(async move { exec.run(call, sender).await })
        })
        .collect();
    receiver.recv().await.unwrap();
    receiver.recv().await.unwrap();
    let refused = sandbox.exec.output(sandbox.call(&["ps"])).await.unwrap_err();
    assert!(matches!(refused, DriverError::Busy { .. }), "{refused}");
    assert!(refused.to_string().contains("try again"), "{refused}");
    drop(receiver);
    for run in runs {
        run.await.unwrap().unwrap();
    }
    assert!(sandbox.ask(&["ps"]).await.succeeded());
}

/// What an attacker's command gets done: `done` or `no` for each path.
const REACH: &str = r#"<?php
foreach (array_slice($argv, 1) as $path) {
    $got = str_ends_with($path, '/planted') ? @file_put_contents($path, 'x') : @file_get_contents($path);
    echo $got === false ? 'no' : 'done', " $path\n";
}
"#;

#[tokio::test]
async fn a_command_reaches_nothing_of_others_and_plants_nothing_that_runs_later() {
    if !is_root() {
        eprintln!("skipped: only root can give each site a Unix user of its own");
        return;
    }
    let sandbox = Sandbox::with(REACH).await;
    let (paths, other) = (&sandbox.machine.paths, fresh_uid());
    let files = sandbox.machine.drivers().files;
    files.ensure_slot(slot(2)).await.unwrap();
    files.ensure_site(other, slot(2)).await.unwrap();
    let secret = paths.site(other).join("private/secret");
    std::fs::write(&secret, "only-for-its-owner").unwrap();
    let shown = |path: &Path| path.display().to_string();
    let others = [
        shown(&secret),
        shown(&paths.mariadb_admin()),
        shown(&paths.redis_admin()),
        shown(&paths.site(other).join("wp-content/planted")),
        shown(&paths.slot_tmp(slot(2)).join("planted")),
        shown(&paths.data().php().join("test/planted")),
        shown(&paths.data().core("7.1").join("planted")),
    ];
    // What the machine runs by itself, now or later.
    let machines = [
        "/var/spool/cron/crontabs/planted",
        "/var/spool/cron/atjobs/planted",
        "/etc/cron.d/planted",
        "/etc/cron.daily/planted",
        "/etc/profile.d/planted",
        "/etc/systemd/system/planted",
        "/root/planted",
        "/etc/shadow",
    ];
    let all: Vec<&str> = others.iter().map(String::as_str).chain(machines).collect();
    let done = |out: &[u8]| {
        let text = String::from_utf8(out.to_vec()).unwrap();
        assert!(!text.is_empty(), "nothing was tried");
        text.lines().filter_map(|line| line.strip_prefix("done ").map(str::to_owned)).collect()
    };
    let nothing: Vec<String> = Vec::new();
    let own = shown(&paths.slot_tmp(slot(1)).join("planted"));
    let reached: Vec<String> = done(&sandbox.ask(&[&own]).await.out);
    assert_eq!(reached, [own], "else the others prove nothing");
    let reached: Vec<String> = done(&sandbox.ask(&all).await.out);
    assert_eq!(reached, nothing, "with all guards");
    let prepend = paths.data().php().join("test/prepend.php");
    let text = std::fs::read_to_string(&prepend).unwrap();
    let without = text.replace("confine( $_SERVER );", "");
    assert_ne!(without, text);
    std::fs::write(&prepend, without).unwrap();
    let reached: Vec<String> = done(&sandbox.ask(&all).await.out);
    assert_eq!(reached, nothing, "without open_basedir, as the slot's user");
    // As root, which a command never is; the machine's own folders are copies there.
    let copies = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "/bin/sh", "-ec", WITH_COPIES, "sh"])
        .arg(copies.path())
        .arg(PhpInstall::detect().unwrap().cli.unwrap())
        .arg("-n")
        .arg(paths.data().php().join("test/agent.php"))
        .args(&all)
        .output()
        .unwrap();
    let reached: Vec<String> = done(&output.stdout);
    assert_eq!(reached, all, "without the slot's user");
    let real =
        machines.iter().filter(|path| path.ends_with("/planted") && Path::new(path).exists());
    assert_eq!(real.count(), 0, "it was tried on copies");
}

/// Puts copies of the folders of which the machine runs things in their place, for what follows.
const WITH_COPIES: &str = r#"
at="$1"; shift
mkdir "$at/etc" "$at/spool" "$at/root"
cp -a /etc/passwd /etc/group /etc/shadow /etc/alternatives "$at/etc"
cp /etc/ld.so.cache "$at/etc" || :
(cd "$at/etc" && mkdir -p cron.d cron.daily profile.d systemd/system)
mkdir -p "$at/spool/cron/crontabs" "$at/spool/cron/atjobs"
mount --bind "$at/etc" /etc
mount --bind "$at/spool" /var/spool
mount --bind "$at/root" /root
exec "$@"
"#;

#[tokio::test]
async fn a_slot_that_is_another_sites_runs_nothing() {
    let sandbox = Sandbox::with(LIMITS).await;
    let foreign = ExecCall::agent(fresh_uid(), slot(1), &["ps"]);
    let refused = sandbox.exec.output(foreign).await.unwrap_err();
    assert!(matches!(refused, DriverError::Unavailable { .. }), "{refused}");
    let zero = sandbox.exec.output(sandbox.call(&["a\0b"])).await.unwrap_err();
    assert!(matches!(zero, DriverError::Invalid { .. }), "{zero}");
}

/// The process of the next test that is killed; does nothing when it is run by itself.
#[tokio::test]
async fn runs_a_command_until_killed() {
    if std::env::var_os("AIPRESS_TEST_KILLED").is_none() {
        return;
    }
    let sandbox = Sandbox::with(LIMITS).await;
    let (sender, mut receiver) = mpsc::channel(1);
    let mut run = sandbox.exec.run(sandbox.call(&["sleep"]), sender);
    tokio::select! {
        _ = &mut run => panic!("it ended"),
        _ = receiver.recv() => {}
    }
    let agent = sandbox.machine.paths.data().root().display().to_string();
    std::fs::write(std::env::var_os("AIPRESS_TEST_KILLED").unwrap(), agent).unwrap();
    run.await.unwrap();
}

#[tokio::test]
async fn a_killed_shard_takes_its_commands_along() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("root");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exec::runs_a_command_until_killed", "--nocapture"])
        .env("AIPRESS_TEST_KILLED", &note)
        .spawn()
        .unwrap();
    let unavailable =
        || DriverError::Unavailable { what: "wait".to_owned(), detail: "not yet".to_owned() };
    until("the command", || async {
        std::fs::read(&note).ok().filter(|text| !text.is_empty()).map(drop).ok_or_else(unavailable)
    })
    .await;
    let root = std::fs::read_to_string(&note).unwrap();
    assert!(runs(&root), "else this proves nothing");
    child.kill().unwrap();
    child.wait().unwrap();
    until("its end", || async { if runs(&root) { Err(unavailable()) } else { Ok(()) } }).await;
    std::fs::remove_dir_all(root).unwrap();
}

/// Whether a process with this folder in its command line runs.
fn runs(root: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("{root}/php/test/agent.php"))
    })
}
