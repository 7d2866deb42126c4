//! A site that takes all it can get: it is stopped, it is told which limit it met, it can still be
//! read, emptied and signed in to, and its neighbour answers all the while.

use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;

use super::attack::Site;

/// Longest until something that the platform does by itself is seen.
const SEEN: Duration = Duration::from_secs(180);
/// Seconds that a filler goes on unless it is stopped.
const FILLS_S: u32 = 25;

/// Limits that are met within seconds. The shard takes them when it starts.
pub(super) async fn limit(platform: &Platform) {
    for (key, value) in [
        ("limits.storageMb", "60"),
        ("limits.databaseMb", "40"),
        ("limits.memoryMib", "400"),
        ("limits.cpuMillis", "500"),
    ] {
        platform.cli(&["settings", "set", key, value]).await.good();
    }
    let unit = "aipress-shard-001";
    let former = platform.pid(unit).await;
    let pid = rustix::process::Pid::from_raw(former).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    platform.back(unit, former).await;
}

async fn neighbour_answers(platform: &Platform) {
    let home = platform.visitor("neighbour").get("/").await.with_status(200);
    assert_eq!(home.title(), "Title of neighbour");
}

/// `tenant show` and wp-admin both say it.
async fn is_told(platform: &Platform, words: &str) {
    wait_until(SEEN, &format!("`{words}` is told"), async || {
        let tenant = platform.tenant("greedy").await;
        let message = tenant["message"].as_str().unwrap_or_default();
        if message.contains(words) { Ok(()) } else { Err(message.to_owned()) }
    })
    .await;
    let mut admin = platform.admin("greedy").await;
    let screen = admin.browser.get("/wp-admin/").await.with_status(200).text();
    assert!(screen.contains("aipress-limit") && screen.contains(words), "{words}: {screen}");
}

async fn says(site: &Site, code: &str, words: &str) {
    wait_until(SEEN, words, async || {
        let said = site.try_run(code).await?;
        if said.contains(words) { Ok(()) } else { Err(said) }
    })
    .await;
}

pub(super) async fn disk(platform: &Platform, greedy: &Site) {
    let uploads = greedy.dir.join("wp-content/uploads");
    fs::create_dir_all(&uploads).unwrap();
    std::os::unix::fs::chown(&uploads, Some(greedy.user), Some(greedy.user)).unwrap();
    let fill = format!(
        "$d = '{}'; $mb = str_repeat('x', 1 << 20);
         for ($i = 0, $t = microtime(true); microtime(true) - $t < {FILLS_S}; $i++) {{
             if (@file_put_contents(\"$d/f$i\", $mb) !== 1 << 20) return \"stopped after $i\";
             usleep(30000);
         }}
         return 'never stopped';",
        uploads.display()
    );
    let (_, ()) = tokio::join!(says(greedy, &fill, "stopped after"), neighbour_answers(platform));
    is_told(platform, "no file can be written").await;
    // It is read, and what it writes fails in PHP, not by the end of its worker.
    platform.visitor("greedy").get("/").await.with_status(200);
    let write = format!("return @file_put_contents('{}/one', 'x') . '.';", uploads.display());
    says(greedy, &write, "file_put_contents").await;
    // Workers that are started now know it from their first line on.
    let delete =
        format!("array_map('unlink', glob('{}/f*')); return 'deleted';", uploads.display());
    says(greedy, &delete, "deleted").await;
    says(greedy, &write, "1.").await;
}

pub(super) async fn database(platform: &Platform, greedy: &Site) {
    let sign_in = "
        mysqli_report(MYSQLI_REPORT_OFF);
        $own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['db'];
        $db = mysqli_connect('localhost', $own['user'], $own['password'], $own['name'], 0, $own['socket']);";
    let fill = format!(
        "{sign_in}
         $db->query('CREATE TABLE IF NOT EXISTS big (b LONGBLOB)');
         for ($t = microtime(true); microtime(true) - $t < {FILLS_S};) {{
             if (!$db->query(\"INSERT INTO big VALUES (REPEAT('x', 1000000))\")) return 'stopped: ' . $db->error;
             usleep(100000);
         }}
         return 'never stopped';"
    );
    let (_, ()) = tokio::join!(says(greedy, &fill, "stopped: "), neighbour_answers(platform));
    is_told(platform, "nothing can be added").await;
    platform.visitor("greedy").get("/").await.with_status(200);
    let drop = format!(
        "{sign_in} $db->query('DELETE FROM big'); return $db->query('DROP TABLE big') ? 'dropped' : $db->error;"
    );
    says(greedy, &drop, "dropped").await;
    let insert = format!(
        "{sign_in} return $db->query(\"REPLACE INTO wp_options (option_name, option_value) VALUES ('again', '1')\") ? 'inserted' : $db->error;"
    );
    says(greedy, &insert, "inserted").await;
}

pub(super) async fn cache(platform: &Platform, greedy: &Site) {
    let fill = format!(
        "$own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['redis'];
         $redis = new Redis();
         $redis->connect($own['socket']);
         $redis->auth([$own['user'], $own['password']]);
         $mb = str_repeat('x', 1 << 20);
         for ($i = 0, $t = microtime(true); microtime(true) - $t < {FILLS_S}; $i++) {{
             try {{ $done = $redis->rawCommand('SET', $own['prefix'] . 'f' . $i % 300, $mb); }}
             catch (RedisException $e) {{ $done = false; }}
             if (!$done) return 'stopped: ' . $redis->getLastError();
             usleep(20000);
         }}
         return 'never stopped';"
    );
    let (_, ()) = tokio::join!(says(greedy, &fill, "stopped: "), neighbour_answers(platform));
    is_told(platform, "object cache").await;
    platform.visitor("greedy").get("/").await.with_status(200);
}

/// Endless loops and heavy queries in all workers that the site has but one: until both limits are
/// told.
pub(super) async fn processor_and_queries(platform: &Platform, greedy: &Site) {
    let spin =
        "for ($t = microtime(true); microtime(true) - $t < 4;) { sha1('x'); } return 'spun';";
    let query = "
        $own = json_decode(file_get_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/site.json'), true)['db'];
        $db = mysqli_connect('localhost', $own['user'], $own['password'], $own['name'], 0, $own['socket']);
        try { $db->query(\"SET max_statement_time = 4\"); $db->query(\"SELECT BENCHMARK(1000000000, SHA1('x'))\"); }
        catch (mysqli_sql_exception $e) { return 'ended: ' . $e->getMessage(); }
        return 'ended';";
    let hogs = async {
        loop {
            // A request that came to nothing is followed by the next one.
            let _ = tokio::join!(greedy.try_run(spin), greedy.try_run(spin), greedy.try_run(query));
        }
    };
    let is_held = holds(&held_by(greedy).await, "cpu");
    if !is_held {
        eprintln!("not run: a limit of CPU, for this machine has no control group of it");
    }
    let told = async {
        for _ in 0..5 {
            neighbour_answers(platform).await;
        }
        is_told(platform, "database server busy").await;
        if is_held {
            is_told(platform, "all of the CPU").await;
        }
    };
    tokio::select! {
        () = hogs => {}
        () = told => {}
    }
}

pub(super) async fn memory(platform: &Platform, greedy: &Site) {
    if !holds(&held_by(greedy).await, "memory") {
        eprintln!("not run: a memory hog, for this machine has no control group of memory");
        return;
    }
    let hog = "ini_set('memory_limit', '-1'); $a = str_repeat('x', 700 << 20); return strlen($a) . ' got';";
    wait_until(SEEN, "a memory hog is ended", async || match greedy.try_run(hog).await {
        Ok(said) if said.contains("734003200 got") => Err(said),
        _ => Ok(()),
    })
    .await;
    neighbour_answers(platform).await;
    is_told(platform, "memory").await;
}

/// Native code that starts processes, placed as a worker's children are.
pub(super) async fn processes(platform: &Platform, greedy: &Site) {
    let groups = held_by(greedy).await;
    let Some(path) = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = controllers.split(',').any(|name| name == "pids");
        (is_it || controllers.is_empty()).then(|| format!("{}{path}", mounted(controllers)))
    }) else {
        eprintln!("not run: a fork bomb, for this machine has no control group of processes");
        return;
    };
    let bomb = format!(
        "echo 0 > {path}/cgroup.procs
         exec setpriv --reuid={0} --regid={0} --clear-groups sh -c \
         'i=0; while [ $i -lt 300 ]; do sleep 98764 >/dev/null 2>&1 & i=$((i+1)); done; echo all'",
        greedy.user
    );
    let output = Command::new("sh").args(["-c", &bomb]).stderr(Stdio::null()).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("all"), "300 processes ran");
    neighbour_answers(platform).await;
    for pid in fs::read_to_string(format!("{path}/cgroup.procs")).unwrap().lines() {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if command.starts_with(b"sleep\0") {
            let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
            // One may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    // While they ran no worker could be started; what was met is told for a while.
    is_told(platform, "processes").await;
    platform.visitor("greedy").get("/").await.with_status(200);
}

/// What holds single processes on every machine, as the kernel has it of a real worker.
pub(super) async fn limits_of_a_worker(greedy: &Site) {
    wait_until(SEEN, "a worker's limits", async || {
        let pid = worker(greedy).await?;
        // It may have ended since.
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let limits = read("limits").map_err(|error| error.to_string())?;
        let stat = read("stat").map_err(|error| error.to_string())?;
        for (name, most) in [
            ("Max core file size", "0"),
            ("Max data size", "1073741824"),
            ("Max processes", "128"),
            ("Max open files", "128"),
        ] {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
            let both: Vec<&str> = line.split_ascii_whitespace().take(2).collect();
            assert_eq!(both, [most, most], "{name}");
        }
        // proc_pid_stat(5): the 19th field.
        let nice =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(16));
        assert_eq!(nice, Some("5"), "{stat}");
        Ok(())
    })
    .await;
}

/// The process of a worker of the site.
async fn worker(site: &Site) -> Result<u32, String> {
    let said = site.try_run("usleep(300000); return 'pid=' . getmypid() . ';';").await?;
    let pid = said.split_once("pid=").and_then(|(_, rest)| rest.split(';').next());
    pid.and_then(|pid| pid.parse().ok()).ok_or_else(|| format!("no pid: {said}"))
}

/// Version 2 has one group for all.
fn holds(groups: &str, controller: &str) -> bool {
    groups.contains(controller) || groups.starts_with("0::")
}

fn mounted(controllers: &str) -> String {
    let first = controllers.split(',').next().unwrap_or_default();
    if first.is_empty() {
        return "/sys/fs/cgroup".to_owned();
    }
    format!("/sys/fs/cgroup/{first}")
}

/// The groups that a worker of the site is in, as the kernel lists them, once it was placed; empty
/// where the machine has none.
async fn held_by(site: &Site) -> String {
    let has_any = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")
        .is_ok_and(|words| words.contains("pids"))
        || fs::metadata("/sys/fs/cgroup/pids/cgroup.procs").is_ok();
    if !has_any {
        return String::new();
    }
    wait_until(SEEN, "a worker is in its slot's group", async || {
        let pid = worker(site).await?;
        let groups =
            fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|e| e.to_string())?;
        let held: Vec<&str> = groups.lines().filter(|line| line.contains("/slot-")).collect();
        if held.is_empty() { Err(groups) } else { Ok(held.join("\n")) }
    })
    .await
}
