//! A slot's next tenant is the same Unix user as the one before: nothing of that one may be left.

use std::fs;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;

use super::attack::MARK;
use super::attack::Site;

/// The machine's own programs, as the slot's user.
fn as_user(user: u32, script: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .args(["--clear-groups", "--", "/bin/sh", "-c", script])
        .stdin(Stdio::null());
    command
}

fn said(user: u32, script: &str) -> String {
    let output = as_user(user, script).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The site, whose PHP ran native code, leaves; another one takes its slot.
pub(super) async fn nothing_of_who_was_there_before(platform: &Platform, former: Site) {
    let user = former.user;
    let files: Vec<String> =
        ["/tmp", "/var/tmp", "/dev/shm"].map(|dir| format!("{dir}/left-by-{user}")).into();
    let reads: Vec<String> = files
        .iter()
        .map(|file| format!("cat {file}"))
        .chain([
            format!("cat {}/left", former.slot_dir.join("tmp").display()),
            format!("cat {}/wp-content/uploads/left", former.dir.display()),
            format!("ipcs -m | grep -w {user} && echo {MARK}"),
        ])
        .collect();
    for file in &files {
        said(user, &format!("umask 077; echo {MARK} > {file}"));
    }
    former.own_file(&former.slot_dir.join("tmp/left"), MARK);
    former.put("wp-content/uploads/left", MARK);
    assert!(said(user, "ipcmk -M 12345").contains("id:"), "no shared memory");
    let mut lurking = as_user(user, "exec sleep 98763").spawn().unwrap();
    // As whoever takes the slot, all of it is found.
    for read in &reads {
        assert!(said(user, read).contains(MARK), "{read}");
    }

    platform.cli(&["tenant", "delete", "hostile", "--yes"]).await.good();
    ends(&mut lurking).await;
    let heir = Site::new(platform, "heir").await;
    assert_eq!(heir.user, user, "another slot was taken");
    for read in &reads {
        assert!(!said(user, read).contains(MARK), "the heir got it: {read}");
    }
    for file in &files {
        assert!(fs::symlink_metadata(file).is_err(), "{file} is left");
    }
}

async fn ends(child: &mut Child) {
    wait_until(
        Duration::from_secs(60),
        "a process of the former tenant ends",
        async || match child.try_wait().unwrap() {
            Some(_) => Ok(()),
            None => Err("it runs".to_owned()),
        },
    )
    .await;
}
