//! Processes: what `/proc` tells of them, and that no secret is where others could see it.

use std::fs;
use std::path::PathBuf;

use aipress_testkit::Platform;

use super::attack::Attack;
use super::attack::Site;
use super::attack::root_gets_it_by;
use super::guard::HiddenProcesses;
use super::guard::OpenBasedir;

/// Where the guard is the kernel's, which holds for the whole machine and every user but root, root
/// shows that the attempts are good ones.
pub(super) async fn nothing_of_other_processes(
    platform: &Platform,
    hostile: &Site,
    neighbour: &Site,
) {
    let meta = platform.pid("meta").await;
    let environment = format!("/proc/{meta}/environ");
    assert!(String::from_utf8_lossy(&fs::read(&environment).unwrap()).contains("PATH="));
    let worker = neighbour.run("return 'pid=' . getmypid() . ';';").await;
    let worker: i32 = worker
        .split_once("pid=")
        .and_then(|(_, rest)| rest.split(';').next()?.parse().ok())
        .expect("a worker of the neighbour");
    let of_worker = |name: &str| PathBuf::from(format!("/proc/{worker}/{name}"));
    // What the kernel shows of everybody: two guards of the platform's.
    let shown = [
        Attack::reading(&of_worker("status"), "VmSize"),
        Attack::reading(&of_worker("cmdline"), "php-fpm: pool"),
        Attack::new(
            "listing all processes",
            "return ',' . implode(',', scandir('/proc')) . ',';",
            format!(",{worker},"),
        ),
    ];
    let attacks = vec![
        Attack::reading(environment.as_ref(), "PATH="),
        Attack::new(
            "following a process's files",
            format!("return implode(scandir('/proc/{meta}/fd')) . readlink('/proc/{meta}/fd/1');"),
            "meta.log",
        ),
        Attack::new(
            "ending a neighbour's worker",
            format!("return posix_kill({worker}, 0) ? 'may end it' : 'may not';"),
            "may end it",
        ),
        Attack::new(
            "following a neighbour's worker",
            format!(
                "return implode('|', array_map(fn($l) => @readlink('/proc/{worker}/' . $l), ['cwd', 'root', 'exe', 'fd/0']));"
            ),
            "/dev/null",
        ),
        // php-fpm writes its title over it: that it can be read is what counts.
        Attack::new(
            "reading a neighbour's environment",
            format!("return file_get_contents('/proc/{worker}/environ') ? 'is read' : 'is not';"),
            "is read",
        ),
        Attack::reading(&of_worker("maps"), "[stack]"),
        Attack::new(
            "reading a neighbour's memory",
            format!("$m = @fopen('/proc/{worker}/mem', 'r'); return $m ? 'is open' : 'is not';"),
            "is open",
        ),
    ];
    // At once: the worker ends when nobody asks for it.
    root_gets_it_by(&attacks);
    hostile.gets_nothing_by("with all guards", &attacks).await;
    hostile.gets_nothing_by("with all guards", &shown).await;
    let guard = OpenBasedir::remove(platform, hostile).await;
    hostile.gets_nothing_by("without open_basedir", &shown).await;
    let hidden = HiddenProcesses::show(platform).await;
    hostile.gets_it_by("without open_basedir and with all processes to see", &shown).await;
    hostile.gets_nothing_by("without open_basedir, as another user", &attacks).await;
    let own = Attack::new(
        "ending one's own worker",
        "return posix_kill(getmypid(), 0) ? 'may end it' : 'may not';",
        "may end it",
    );
    hostile.gets_it_by("as the same user", &[own]).await;
    hidden.restore();
    hostile.gets_nothing_by("with processes hidden again", &shown).await;
    guard.restore(hostile).await;
}

/// The key that is given by a variable.
pub(super) const MASTER_KEY: &str =
    "5ec2e7a1b0c4d39f86a1b2c3d4e5f60718293a4b5c6d7e8f9fa0b1c2d3e4f506";

/// A key that the operator gave by a variable is in no environment, argument or log of what runs,
/// and not on the disk. Meta, started again, has it all the same: sites are made with it after this.
pub(super) async fn no_master_key_in_any_environment(platform: &Platform) {
    let former = platform.pid("meta").await;
    let pid = rustix::process::Pid::from_raw(former).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    platform.back("meta", former).await;
    assert!(!platform.path("master.key").exists());
    let processes = platform.processes();
    assert!(processes.iter().any(|process| process.command.contains(" up ")), "the supervisor");
    none_in_processes_and_logs(platform, &[MASTER_KEY.to_owned()]);
}

/// Every secret that the test can know: those of sites, roles, servers and the first administrator.
pub(super) fn secrets(platform: &Platform, sites: &[&Site]) -> Vec<String> {
    let salts = ["AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY"]
        .into_iter()
        .flat_map(|key| [key.to_owned(), key.replace("KEY", "SALT")]);
    let of_site: Vec<String> = ["/db/password", "/redis/password"]
        .map(str::to_owned)
        .into_iter()
        .chain(salts.map(|name| format!("/salts/{name}")))
        .collect();
    let mut secrets: Vec<String> =
        sites.iter().flat_map(|site| of_site.iter().map(|at| site.secret(at).to_owned())).collect();
    for name in [
        "master.key",
        "meta/admin-token",
        "run/tokens/edge",
        "run/tokens/aipress-shard-001",
        "shards/aipress-shard-001/key",
    ] {
        secrets.push(fs::read_to_string(platform.path(name)).unwrap().trim().to_owned());
    }
    for server in ["mariadb", "redis"] {
        let path = platform.path(format!("shards/aipress-shard-001/{server}/admin.json"));
        let admin: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        secrets.push(admin["password"].as_str().unwrap().to_owned());
    }
    secrets
}

/// Arguments, environments, FastCGI parameters, logs.
pub(super) async fn no_secret_where_others_could_see_it(
    platform: &Platform,
    sites: &[&Site],
    secrets: &[String],
) {
    none_in_processes_and_logs(platform, secrets);
    for site in sites {
        let seen = site
            .run("return json_encode([$_SERVER, $_ENV, getenv(), ini_get_all()], JSON_PARTIAL_OUTPUT_ON_ERROR);")
            .await;
        assert!(seen.contains("AIPRESS_TENANT_UID"), "{seen}");
        none_in("what PHP sees of its request", seen.as_bytes(), secrets);
    }
}

fn none_in(place: &str, bytes: &[u8], secrets: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    let found = secrets.iter().position(|secret| text.contains(secret.as_str()));
    assert_eq!(found, None, "a secret shows in {place}");
}

/// Of all that runs and all that is logged: by units, and by each site.
fn none_in_processes_and_logs(platform: &Platform, secrets: &[String]) {
    for process in platform.processes() {
        for part in ["cmdline", "environ"] {
            let place = format!("/proc/{}/{part}", process.pid);
            // A worker may have ended meanwhile.
            let bytes = fs::read(&place).unwrap_or_default();
            none_in(&format!("{place} {}", process.command), &bytes, secrets);
        }
    }
    let mut folders = vec![platform.path("logs"), platform.path("shards/aipress-shard-001/logs")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            // The oldest segments go.
            let bytes = fs::read(entry.path()).unwrap_or_default();
            none_in(&entry.path().display().to_string(), &bytes, secrets);
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen} logs were looked at");
}
