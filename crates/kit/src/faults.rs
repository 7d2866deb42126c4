//! Points at which a test kills the process, to prove that what it does may end at any line.
//!
//! In a debug build the variable `AIPRESS_FAULT_DIR` names a folder; a file in it called like a
//! point kills the process by SIGKILL when it gets there, once (the file is removed first).
//! While the folder has a file called `reached`, each point that a process gets to is written there: a
//! test that asks so which points a change has can forget none. A release build has none of this.

/// A point called `name`, such as `shard.database.before`.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    static DIR: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    let dir = DIR.get_or_init(|| std::env::var_os("AIPRESS_FAULT_DIR").map(Into::into));
    if let Some(dir) = dir
        && let Ok(mut reached) = std::fs::File::options().append(true).open(dir.join("reached"))
    {
        let _ = std::io::Write::write_all(&mut reached, format!("{name}\n").as_bytes());
    }
    if let Some(dir) = dir
        && std::fs::remove_file(dir.join(name)).is_ok()
    {
        tracing::error!(name, "killed by a test");
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// A point called `name`; nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_name: &str) {}
