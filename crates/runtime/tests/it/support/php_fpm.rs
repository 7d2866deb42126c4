//! A php-fpm master with one pool, in a folder of its own, killed with the test.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aipress_runtime::fpm_ping;

use super::LONG;

/// The Unix user of the pool when the tests run as root.
pub(crate) const POOL_USER: u32 = 65_534;

pub(crate) struct PhpFpm {
    master: Child,
    socket: PathBuf,
}

impl PhpFpm {
    /// Starts php-fpm with its pool on `socket`, and waits until it answers.
    pub(crate) async fn start(dir: &Path, socket: &Path) -> Self {
        // The pool's user must get into the folder that `tempfile` made for us alone.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let config = dir.join("php-fpm.conf");
        // As the platform's pools have it.
        let functions = include_str!("../../../../../php/functions.php");
        fs::write(dir.join("functions.php"), functions).unwrap();
        let user = if rustix::process::geteuid().is_root() {
            format!("user = {POOL_USER}\ngroup = {POOL_USER}\n")
        } else {
            String::new()
        };
        let text = format!(
            "[global]\nerror_log = {dir}/fpm.log\ndaemonize = no\n\
             [01]\nlisten = {socket}\nlisten.mode = 0666\n{user}pm = ondemand\n\
             pm.max_children = 6\npm.process_idle_timeout = 10s\nping.path = /fpm-ping\n\
             catch_workers_output = yes\nclear_env = yes\n\
             php_admin_value[disable_functions] = fastcgi_finish_request,mail\n\
             php_admin_value[auto_prepend_file] = {dir}/functions.php\n\
             php_admin_value[log_errors] = 1\nphp_admin_value[display_errors] = 0\n\
             php_admin_value[upload_tmp_dir] = {dir}\nphp_value[post_max_size] = 101M\n\
             php_value[upload_max_filesize] = 100M\n",
            dir = dir.display(),
            socket = socket.display(),
        );
        fs::write(&config, text).unwrap();
        let master = Command::new(binary())
            .arg("--nodaemonize")
            .arg("--fpm-config")
            .arg(&config)
            // No php.ini of the machine.
            .arg("-n")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let fpm = Self { master, socket: socket.to_owned() };
        let deadline = std::time::Instant::now() + LONG;
        while let Err(error) = fpm.ping().await {
            assert!(std::time::Instant::now() < deadline, "php-fpm does not start: {error:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fpm
    }

    pub(crate) async fn ping(&self) -> Result<(), aipress_runtime::fastcgi::ping::PingError> {
        fpm_ping(&self.socket, "/fpm-ping", LONG).await
    }
}

impl Drop for PhpFpm {
    fn drop(&mut self) {
        // SIGTERM, so that the master ends its workers; it is ours alone.
        if let Some(pid) = rustix::process::Pid::from_raw(self.master.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.master.wait();
    }
}

/// The distribution's php-fpm, whatever its version.
fn binary() -> PathBuf {
    let found = fs::read_dir("/usr/sbin").unwrap().filter_map(Result::ok).map(|it| it.path());
    let mut found: Vec<PathBuf> = found
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("php-fpm"))
        })
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("install php-fpm: there is no /usr/sbin/php-fpm*"))
}
