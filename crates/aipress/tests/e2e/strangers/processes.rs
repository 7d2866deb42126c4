//! Processes: what `/proc` tells of them, and that no secret is where others could see it.

use std::fs;
use std::path::PathBuf;

use aipress_testkit::Platform;

use super::attack::Attack;
use super::attack::Site;
use super::guard::HiddenProcesses;
use super::guard::OpenBasedir;

/// The kernel's guard cannot be taken away; the test's own user, root, shows what is there.
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
        Attack::reading(&of_worker("environ"), "PATH="),
        Attack::reading(&of_worker("maps"), "[stack]"),
        Attack::new(
            "reading a neighbour's memory",
            format!("$m = @fopen('/proc/{worker}/mem', 'r'); return $m ? 'is open' : 'is not';"),
            "is open",
        ),
    ];
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

/// Every secret that the test can know: those of sites, roles, servers and the first administrator.
pub(super) fn secrets(platform: &Platform, sites: &[&Site]) -> Vec<String> {
    let mut secrets: Vec<String> = sites
        .iter()
        .flat_map(|site| {
            ["/db/password", "/redis/password", "/salts/AUTH_KEY"]
                .map(|at| site.secret(at).to_owned())
        })
        .collect();
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
    let none_in = |place: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let found = secrets.iter().position(|secret| text.contains(secret.as_str()));
        assert_eq!(found, None, "a secret shows in {place}");
    };
    for process in platform.processes() {
        for part in ["cmdline", "environ"] {
            let place = format!("/proc/{}/{part}", process.pid);
            // A worker may have ended meanwhile.
            none_in(&format!("{place} {}", process.command), &fs::read(&place).unwrap_or_default());
        }
    }
    for entry in fs::read_dir(platform.path("logs")).unwrap().flatten() {
        none_in(&entry.path().display().to_string(), &fs::read(entry.path()).unwrap());
    }
    for site in sites {
        let seen = site
            .run("return json_encode([$_SERVER, $_ENV, getenv(), ini_get_all()], JSON_PARTIAL_OUTPUT_ON_ERROR);")
            .await;
        assert!(seen.contains("AIPRESS_TENANT_UID"), "{seen}");
        none_in("what PHP sees of its request", seen.as_bytes());
    }
}
