//! Roles that have no file descriptor left: they don't end, and serve again when some are free.

use std::fs;
use std::os::unix::fs::MetadataExt;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;
use tokio::net::TcpStream;
use tokio::net::UnixStream;

use super::PATIENCE;
use super::shard_of;

/// Open files that a role gets beyond those that it has when it is to run out of them.
const A_FEW: u64 = 12;

/// Each role that accepts connections from many.
pub(super) async fn out_of_descriptors(platform: &Platform) {
    let shard = shard_of(platform, "bakery").await;
    let gateway = format!("{shard}-gateway");
    let sockets = [
        ("edge", None),
        (gateway.as_str(), Some(platform.path(format!("run/{shard}/gateway.sock")))),
        ("meta", Some(platform.path("run/meta.sock"))),
    ];
    for (unit, socket) in sockets {
        let pid = platform.pid(unit).await;
        let enough = limit_of(pid);
        limit(pid, open_files(pid) + A_FEW);
        // Callers who ask nothing have all of them.
        let mut idle: Vec<Box<dyn Send>> = Vec::new();
        for _ in 0..A_FEW * 2 {
            idle.push(match &socket {
                None => Box::new(TcpStream::connect(platform.address()).await.unwrap()),
                Some(path) => Box::new(UnixStream::connect(path).await.unwrap()),
            });
        }
        wait_until(PATIENCE, &format!("{unit} has no descriptor left"), async || {
            let (open, most) = (open_files(pid), limit_of(pid));
            if open >= most { Ok(()) } else { Err(format!("{open} of {most} are open")) }
        })
        .await;
        drop(idle);
        wait_until(PATIENCE, &format!("{unit} serves again"), async || {
            let answer = match unit {
                "meta" => platform.api().send("GET", "/v1/tenants/bakery", &[], "").await,
                _ => platform.visitor("bakery").send("GET", "/", &[], "").await,
            };
            match answer {
                Ok(answer) if answer.status == 200 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        limit(pid, enough);
        assert_eq!(platform.pid(unit).await, pid, "{unit} is the same process");
    }
}

fn open_files(pid: i32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
}

/// What `/proc` says that the process may open.
fn limit_of(pid: i32) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line["Max open files".len()..].split_whitespace().next().unwrap().parse().unwrap()
}

fn limit(pid: i32, files: u64) {
    // As the role's user: root of a container may not touch the limits of others.
    let user = fs::metadata(format!("/proc/{pid}")).unwrap().uid().to_string();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "prlimit"]);
    command.args(["--pid", &pid.to_string(), &format!("--nofile={files}:")]);
    assert!(command.status().unwrap().success(), "{files} open files");
}
