//! A unit that runs out of memory is back, and its status says why it went.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use crate::support::{Place, is_root};

/// The kernel's own name of the namespace that the machine began with.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// A control group of 32 MiB; removed when dropped.
struct Group(PathBuf);

impl Group {
    /// By version 2 or version 1 of the kernel's interface; `None` where neither has the controller.
    fn new() -> Option<Self> {
        let name = format!("aipress-test-{}", std::process::id());
        for (root, limit) in
            [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]
        {
            let dir = Path::new(root).join(&name);
            if fs::create_dir(&dir).is_err() {
                continue;
            }
            let group = Self(dir);
            // Version 1's hierarchies are mounted in an ordinary folder.
            if !group.0.join("cgroup.procs").exists() {
                continue;
            }
            if fs::write(group.0.join(limit), (32 << 20).to_string()).is_ok() {
                // Where there is swap it would only be slow.
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                let _ = fs::write(group.0.join("memory.memsw.limit_in_bytes"), "33554432");
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn one_that_the_kernel_kills_for_want_of_memory_says_so_and_is_back() {
    // Only there the kernel's log has the numbers that processes here have.
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let is_first = namespace == Path::new(FIRST_PID_NAMESPACE);
    let has_log = fs::File::open("/dev/kmsg").is_ok();
    let Some(group) = (is_root() && is_first && has_log).then(Group::new).flatten() else {
        eprintln!(
            "a unit killed for want of memory could not run: no memory controller for root, or the \
             kernel's log is not that of this PID namespace"
        );
        return;
    };
    let place = Place::new();
    let (procs, marker) = (group.0.join("cgroup.procs"), place.path("was-killed"));
    // Once: the next start finds the marker, and stays.
    let script = format!(
        "[ -e {marker} ] && exec sleep 1000; : >{marker}; echo $$ >{procs}; exec tail /dev/zero",
        marker = marker.display(),
        procs = procs.display()
    );
    let running = place.run(&[place.shell("hog", &script, json!({}))]);
    let unit = running.unit("hog", |unit| unit.restarts == 1 && unit.pid.is_some()).await;
    let reason = unit.last_exit.unwrap().reason;
    assert!(reason.starts_with("out of memory: the kernel killed it"), "{reason}");
    assert!(reason.ends_with("(killed by SIGKILL)"), "{reason}");
}

#[tokio::test]
async fn one_that_gets_no_memory_says_so() {
    let place = Place::new();
    let script = "echo 'memory allocation of 1048576 bytes failed' >&2; kill -ABRT $$";
    let running = place.run(&[place.shell("a", script, json!({"give_up_after": 1}))]);
    let unit = running.unit("a", |unit| unit.last_exit.is_some()).await;
    let reason = unit.last_exit.unwrap().reason;
    assert_eq!(
        reason,
        "out of memory: memory allocation of 1048576 bytes failed (killed by SIGABRT)"
    );
}
