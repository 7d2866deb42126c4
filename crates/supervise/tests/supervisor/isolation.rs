//! A unit gets what its description lists, and nothing else.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use serde_json::json;

use crate::support::{PROBE, Place, is_root, until};

#[tokio::test]
async fn environment_and_descriptors_are_not_inherited() {
    let place = Place::new();
    let script = "env; ls /proc/$$/fd; echo all; exec sleep 1000";
    let more = json!({"env": {"ONE": "1", "PATH": "/usr/bin:/bin"}, "tcp": "127.0.0.1:0"});
    let probe = place.command(&[place.shell("a", script, more)]);
    // A parent that leaves descriptors open, as make and shells do.
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "exec 3</etc/passwd 4</etc/passwd 9</etc/passwd; exec \"$@\"", "sh"]);
    command.arg(PROBE).args(probe.get_args()).env("SECRET", "do not tell");
    let running = place.spawn(command);
    let pid = running.ready("a").await.pid.unwrap();
    let log = until("the unit has said all", async || {
        Some(place.text("a.log")).filter(|log| log.ends_with("all\n"))
    })
    .await;
    let (variables, fds): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.contains('='));
    let pid_line = format!("LISTEN_PID={pid}");
    let own = ["ONE=1", "PATH=/usr/bin:/bin", "LISTEN_FDS=1", "LISTEN_FDNAMES=web", &pid_line];
    // Shells add these by themselves.
    let of_the_shell = |line: &&&str| {
        !["PWD=", "_=", "OLDPWD=", "SHLVL="].iter().any(|name| line.starts_with(name))
    };
    let variables: BTreeSet<&str> = variables.iter().filter(of_the_shell).copied().collect();
    assert_eq!(variables, BTreeSet::from(own));
    assert_eq!(fds, ["0", "1", "2", "3", "all"]);
}

#[tokio::test]
async fn user_groups_umask_and_limits_are_as_listed() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    std::fs::set_permissions(place.path(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    let script =
        "cat /proc/self/status; ulimit -n; ulimit -Hn; umask; touch $HERE/made; exec sleep 1000";
    let more = json!({
        "env": {"PATH": "/usr/bin:/bin", "HERE": place.path("")},
        "user": {"uid": 70001, "gid": 70002, "groups": [70011, 70012]},
        "umask": 0o077, "no_new_privs": true,
        "rlimits": [{"resource": "nofile", "soft": 123, "hard": 456}],
    });
    let running = place.run(&[place.shell("a", script, more)]);
    running.ready("a").await;
    until("the unit has made its file", async || place.path("made").exists().then_some(())).await;
    let log = place.text("a.log");
    let line = |name: &str| {
        let found = log.lines().find(|line| line.starts_with(name));
        found.unwrap_or_default().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("Uid:"), "70001 70001 70001 70001");
    assert_eq!(line("Gid:"), "70002 70002 70002 70002");
    assert_eq!(line("Groups:"), "70011 70012");
    assert_eq!(line("CapEff:"), "0000000000000000");
    assert_eq!(line("CapPrm:"), "0000000000000000");
    assert_eq!(line("NoNewPrivs:"), "1");
    let end: Vec<&str> = log.lines().rev().take(3).collect();
    assert_eq!(end, ["0077", "456", "123"]);
    let mode = std::fs::metadata(place.path("made")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn without_root_units_run_as_oneself_and_nobody_else() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    std::fs::set_permissions(place.path(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    // The program's own folder may be closed to that user.
    let probe = place.path("probe");
    // By another process: a child begun here meanwhile would hold the copy
    // open for writing, and it could not be executed (ETXTBSY).
    let copied = std::process::Command::new("cp").arg(PROBE).arg(&probe).status().unwrap();
    assert!(copied.success());
    let as_nobody = |unit| {
        let mut command = std::process::Command::new(&probe);
        command.args(place.command(&[unit]).get_args()).uid(65534).gid(65534);
        command
    };
    let more = json!({"user": {"uid": 70001, "gid": 70001, "groups": []}});
    let other = place.shell("a", "exec sleep 1000", more);
    let output = as_nobody(other).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("unit a is to run as user 70001, which only root can do"), "{error}");
    let more = json!({"user": {"uid": 65534, "gid": 65534, "groups": []}});
    let running = place.spawn(as_nobody(place.shell("a", "exec sleep 1000", more)));
    let pid = running.ready("a").await.pid.unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t65534\t65534"), "{status}");
}
