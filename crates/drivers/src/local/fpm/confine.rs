//! Keeps native code out of php-fpm: where a site may write, nothing can be run or loaded.
//!
//! PHP has ways to load a shared object that no list of functions closes (libcurl's
//! `CURLOPT_SSLENGINE`, `LD_PRELOAD` for a program that `mail()` starts), and code in a worker can
//! write the opcode cache that all pools of a master share. So a master gets a mount namespace of
//! its own (`unshare(1)`), in which every folder that a slot's user can write is mounted `noexec`:
//! the kernel then refuses `execve(2)` and `mmap(2)` with `PROT_EXEC` of any file below.
//! The folders stay the same files for everybody else. Needs root.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

use aipress_kit::sandbox::EXEC_VERB;

use crate::layout::ShardPaths;
use crate::unit::UnitCommand;

pub(in crate::local) const UNSHARE: &str = "/usr/bin/unshare";

/// Folders of the system that everybody can write, where they exist.
pub(in crate::local) const WORLD_WRITABLE: &[&str] = &[
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/run/lock",
    "/run/shm",
    "/var/crash",
    "/var/lib/php/sessions",
    "/var/spool/cron/crontabs",
];

/// Mounts each folder before `--` onto itself with the flags. What is mounted below comes along (the
/// data folder may be a disk of its own there) and gets them, too.
const MOUNT: &str = r#"
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then
    mount --rbind "$1" "$1"
    while read -r _ _ _ _ at _; do
      case "$at/" in
        "$1"/*) mount -o remount,bind,noexec,nosuid,nodev "$(printf %b "$at")" ;;
      esac
    done < /proc/self/mountinfo
  fi
  shift
done
shift
"#;

/// The platform's own program may lie below one of them (a test's data folder is in `/tmp`); it is
/// run from there, and nobody but root can change it.
const RUN_FROM_THERE: &str =
    "mount --bind \"$1\" \"$1\"\nmount -o remount,bind,ro,exec,nosuid,nodev \"$1\"\n";

/// A write over a file's size limit fails; it does not end the worker (`setrlimit(2)`).
const PATIENT: &str = "trap '' XFSZ\n";

/// Lets a worker see the processes of its own user only (`proc(5)`, Linux 5.8): arguments and
/// states of all others are nobody's business. An older kernel shows them, as it shows everybody.
const SEE_ONLY_OWN_USER: &str = "mount -t proc -o nosuid,nodev,noexec,hidepid=invisible proc /proc \
                                 2>/dev/null || :\n";

/// Whether this machine lets the platform make mount namespaces: not in every container.
pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let probe = "mount --bind /tmp /tmp && mount -o remount,bind,noexec,nosuid,nodev /tmp";
        Command::new(UNSHARE)
            .args(["--mount", "--propagation", "private", "/bin/sh", "-ec", probe])
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

/// The same command in a namespace of its own; as it was where that is not to be had.
pub(super) fn confined(command: UnitCommand, paths: &ShardPaths) -> UnitCommand {
    if !is_available() {
        return patient(command);
    }
    let mut args: Vec<String> =
        ["--mount", "--propagation", "private", "/bin/sh", "-ec"].map(str::to_owned).to_vec();
    args.push(format!("{PATIENT}{SEE_ONLY_OWN_USER}{}", script(paths, &command.program)));
    args.push("php-fpm".to_owned());
    args.extend(writable(paths));
    args.push("--".to_owned());
    args.push(shown(&command.program));
    args.extend(command.args);
    UnitCommand { program: PathBuf::from(UNSHARE), args, ..command }
}

/// The same command, by way of a program that takes from it what no site has a use for.
pub(super) fn without_needless_calls(command: UnitCommand, by: Option<&Path>) -> UnitCommand {
    let Some(by) = by else { return command };
    let mut args = vec![EXEC_VERB.to_owned(), shown(&command.program)];
    args.extend(command.args);
    UnitCommand { program: by.to_owned(), args, ..command }
}

/// The same command, that a full disk's limit does not end.
pub(super) fn patient(command: UnitCommand) -> UnitCommand {
    let mut args = vec!["-ec".to_owned(), format!("{PATIENT}exec \"$@\""), "php-fpm".to_owned()];
    args.push(shown(&command.program));
    args.extend(command.args);
    UnitCommand { program: PathBuf::from("/bin/sh"), args, ..command }
}

/// Mounts the folders before `--`, then becomes the program after it.
pub(in crate::local) fn script(paths: &ShardPaths, program: &Path) -> String {
    let is_below = writable(paths).iter().any(|dir| program.starts_with(dir));
    format!("{MOUNT}{}exec \"$@\"\n", if is_below { RUN_FROM_THERE } else { "" })
}

/// What a slot's user can write, for [`script`].
pub(in crate::local) fn writable(paths: &ShardPaths) -> Vec<String> {
    let own = [paths.sites(), paths.slots()];
    // The data folder may itself be below one of these (a test's is in /tmp): the outer first.
    let system = WORLD_WRITABLE.iter().map(PathBuf::from);
    system.chain(own).map(|dir| shown(&dir)).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
