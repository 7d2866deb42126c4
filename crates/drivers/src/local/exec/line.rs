//! The command line of a command: who becomes whom, with which limits, before PHP begins.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use aipress_kit::sandbox::EXEC_VERB;

use super::Programs;
use super::WHAT;
use crate::error::DriverError;
use crate::exec::ExecCall;
use crate::exec::Program;
use crate::files::SiteConfig;
use crate::layout::ShardPaths;
use crate::local::fpm::DISABLED_FUNCTIONS;
use crate::local::fpm::confine;
use crate::local::fpm::ini_file;
use crate::local::share;
use crate::uids::ShardIds;

/// Memory that a command may write to, in bytes (`RLIMIT_DATA`): PHP's 512 MB and PHP itself.
pub(super) const DATA_BYTES: u64 = 768 * 1024 * 1024;
/// What PHP allows itself; a command could raise it, up to [`DATA_BYTES`].
const MEMORY_LIMIT: &str = "512M";
/// Largest file that a command can write, in bytes.
pub(super) const FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// Open files.
const OPEN_FILES: u32 = 256;
/// Processes and threads of the slot's user: its php-fpm workers (32 at most) count, too.
pub(super) const PROCESSES: u32 = 96;
/// Visitors come first.
const NICE: &str = "10";
/// Arguments in all, in bytes; below what the kernel takes (128 KiB for one).
const ARGS_MAX: usize = 100 * 1024;

/// What sets the limits.
const PRLIMIT: &str = "/usr/bin/prlimit";

/// Makes the command see only its own processes, where the machine allows that, then mounts and
/// becomes what follows (`confine::script`).
const SEE_ONLY_OWN: &str =
    "umask 027\ntrap '' XFSZ\nmount -t proc -o nosuid,nodev,noexec proc /proc || :\n";

/// A program with everything that it is given.
pub(super) struct Line {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
    pub(super) dir: PathBuf,
    /// Whether it is the first process of a PID namespace's parent.
    pub(super) is_namespaced: bool,
}

/// Whether commands have namespaces of their own.
pub(super) fn is_namespaced(ids: &ShardIds) -> bool {
    ids.is_isolated() && confine::is_available()
}

/// The line for a call.
pub(super) async fn of(
    paths: &ShardPaths,
    ids: &ShardIds,
    programs: &Programs,
    call: &ExecCall,
) -> Result<Line, DriverError> {
    let refuse = |detail: &str| Err(DriverError::invalid(WHAT, detail));
    if call.args.iter().any(|arg| arg.contains('\0')) {
        return refuse("an argument has a zero byte");
    }
    if call.args.iter().map(String::len).sum::<usize>() > ARGS_MAX {
        return refuse("its arguments are longer than 100 KiB; give what is long with --stdin");
    }
    let Some(php) = &programs.php else {
        return refuse("php's command line program is not installed: run scripts/install");
    };
    let core_dir = core_of(paths, call).await?;
    let script = match (call.program, &programs.wp_cli) {
        (Program::Agent, _) => programs.php_dir.join("agent.php"),
        (Program::WpCli, Some(archive)) => archive.clone(),
        (Program::WpCli, None) => return refuse("no wp-cli archive is configured"),
    };
    let is_namespaced = is_namespaced(ids);
    let mut args = Vec::new();
    if is_namespaced {
        args.extend(words(&[
            // Killed shard: this ends, and with it the namespace.
            "--pdeathsig=KILL",
            confine::UNSHARE,
            "--mount",
            "--propagation=private",
            "--ipc",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "/bin/sh",
            "-ec",
        ]));
        // What is run first, of all that follows.
        let first = programs.confined_by.as_deref().unwrap_or(Path::new(PRLIMIT));
        let script = confine::script(paths, first);
        args.push(format!("{}{SEE_ONLY_OWN}{script}", held(paths, call)).into());
        args.push("aipress-command".into());
        args.extend(confine::writable(paths).into_iter().map(OsString::from));
        args.push("--".into());
    } else {
        args.extend(words(&["--pdeathsig=KILL", "/bin/sh", "-ec"]));
        args.push(format!("{}umask 027\ntrap '' XFSZ\nexec \"$@\"", held(paths, call)).into());
        args.push("sh".into());
    }
    if let Some(by) = &programs.confined_by {
        args.extend([by.into(), EXEC_VERB.into()]);
    }
    args.extend(becoming(ids, call));
    args.push(php.into());
    args.extend(settings(paths, programs, call));
    args.push(script.into());
    args.extend(call.args.iter().map(OsString::from));
    Ok(Line {
        program: PathBuf::from("/usr/bin/setpriv"),
        args,
        env: environment(paths, programs, call, &core_dir),
        dir: core_dir,
        is_namespaced,
    })
}

/// Lines by which the command is held to its slot's share, where there are control groups. None of
/// these paths is anybody's to choose.
fn held(paths: &ShardPaths, call: &ExecCall) -> String {
    let doors = share::doors(paths, call.slot);
    doors.iter().map(|door| format!("echo 0 > '{}' || :\n", door.display())).collect()
}

/// The core that the slot's site runs; refuses a slot that is another site's by now.
async fn core_of(paths: &ShardPaths, call: &ExecCall) -> Result<PathBuf, DriverError> {
    let file = paths.slot(call.slot).join("site.json");
    let unavailable = |detail: String| DriverError::unavailable(WHAT, detail);
    let bytes = tokio::fs::read(&file)
        .await
        .map_err(|_| unavailable("the site is not set up in its slot".to_owned()))?;
    let site: SiteConfig = serde_json::from_slice(&bytes)
        .map_err(|error| unavailable(format!("site.json of slot {}: {error}", call.slot)))?;
    if site.uid != call.uid {
        return Err(unavailable("the site is not in this slot any more".to_owned()));
    }
    Ok(site.core_dir)
}

/// Limits, priority, a session, and the slot's user without any other right.
fn becoming(ids: &ShardIds, call: &ExecCall) -> Vec<OsString> {
    let cpu_s = call.time_limit.as_secs().saturating_add(1);
    let mut args = words(&[PRLIMIT, "--core=0"]);
    let mut limit = |name: &str, value: u64| args.push(format!("--{name}={value}").into());
    limit("data", DATA_BYTES);
    // PHP sees by itself that the slot is full, and so does whatever it starts.
    limit("fsize", FILE_BYTES);
    limit("nofile", u64::from(OPEN_FILES));
    limit("cpu", cpu_s);
    if ids.is_isolated() {
        // Without users of their own the limit would count everything that the one user runs.
        limit("nproc", u64::from(PROCESSES));
    }
    args.extend(words(&["/usr/bin/nice", "-n", NICE, "/usr/bin/setsid", "/usr/bin/setpriv"]));
    args.extend(words(&["--no-new-privs", "--pdeathsig=KILL"]));
    if ids.is_isolated() {
        let own = ids.slot(call.slot);
        args.push(format!("--reuid={}", own.uid).into());
        args.push(format!("--regid={}", own.gid).into());
        args.extend(words(&["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]));
    }
    args
}

/// PHP's settings: those of the slot's pool, as far as they are the same on the command line.
fn settings(paths: &ShardPaths, programs: &Programs, call: &ExecCall) -> Vec<OsString> {
    let tmp = paths.slot_tmp(call.slot).display().to_string();
    let prepend = programs.php_dir.join("prepend.php");
    let settings = [
        format!("auto_prepend_file={}", prepend.display()),
        format!("disable_functions={}", DISABLED_FUNCTIONS.join(",")),
        format!("memory_limit={MEMORY_LIMIT}"),
        "max_execution_time=0".to_owned(),
        format!("upload_tmp_dir={tmp}"),
        format!("sys_temp_dir={tmp}"),
        format!("session.save_path={tmp}/sessions"),
    ];
    let mut args = vec!["-c".into(), ini_file(paths).into()];
    for setting in settings {
        args.push("-d".into());
        args.push(setting.into());
    }
    args
}

fn environment(
    paths: &ShardPaths,
    programs: &Programs,
    call: &ExecCall,
    core_dir: &Path,
) -> Vec<(&'static str, OsString)> {
    let tmp: OsString = paths.slot_tmp(call.slot).into();
    let mut env: Vec<(&'static str, OsString)> = vec![
        ("PATH", "/usr/bin:/bin".into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("PHP_INI_SCAN_DIR", OsString::new()),
        ("HOME", tmp.clone()),
        ("TMPDIR", tmp),
        ("AIPRESS_CORE_DIR", core_dir.into()),
        ("AIPRESS_SLOT_DIR", paths.slot(call.slot).into()),
        ("AIPRESS_TENANT_UID", call.uid.to_string().into()),
    ];
    if let Some(columns) = call.columns {
        // The name by which wp-cli knows that tables may have borders.
        env.push(("SHELL_PIPE", "0".into()));
        env.push(("COLUMNS", columns.to_string().into()));
    }
    if let Some(folder) = programs.wp_cli.as_deref().and_then(Path::parent) {
        env.push(("AIPRESS_WP_CLI_DIR", folder.into()));
    }
    env
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
