//! Guards that the test takes away as the machine's owner could, and puts back.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;

use super::attack::Site;

/// The opcode cache looks at a file's time every 2 s.
const SEEN: Duration = Duration::from_secs(15);

/// `open_basedir`, which a prepended file sets.
pub(super) struct OpenBasedir {
    file: PathBuf,
    text: String,
}

impl OpenBasedir {
    /// Taken away: the file no longer sets it.
    pub(super) async fn remove(platform: &Platform, site: &Site) -> Self {
        let file = fs::read_dir(platform.path("php"))
            .unwrap()
            .map(|entry| entry.unwrap().path().join("prepend.php"))
            .find(|file| file.exists())
            .expect("the prepended file");
        let text = fs::read_to_string(&file).unwrap();
        let without = text.replace("confine( $_SERVER );", "");
        assert_ne!(without, text);
        fs::write(&file, without).unwrap();
        seen(site, "").await;
        Self { file, text }
    }

    /// Put back.
    pub(super) async fn restore(self, site: &Site) {
        fs::write(&self.file, &self.text).unwrap();
        seen(site, "/").await;
    }
}

async fn seen(site: &Site, start: &str) {
    wait_until(SEEN, "the prepended file is seen", async || {
        let said = site.run("return 'basedir=' . ini_get('open_basedir') . ';';").await;
        let wanted = if start.is_empty() { "basedir=;" } else { "basedir=/" };
        if said.contains(wanted) { Ok(()) } else { Err(said) }
    })
    .await;
}

/// The view of `/proc` in which php-fpm's workers see their own user's processes only.
pub(super) struct HiddenProcesses {
    master: i32,
}

impl HiddenProcesses {
    /// Taken away: what the machine's own `/proc` shows is seen again.
    pub(super) async fn show(platform: &Platform) -> Self {
        let hidden = Self { master: platform.pid("aipress-shard-001-php-fpm").await };
        hidden.enter(&["umount", "/proc"]);
        hidden
    }

    /// Put back.
    pub(super) fn restore(self) {
        self.enter(&["mount", "-t", "proc", "-o", "hidepid=invisible", "proc", "/proc"]);
    }

    fn enter(&self, words: &[&str]) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.master)).args(words);
        assert!(command.status().unwrap().success(), "{words:?}");
    }
}

/// Unix modes of a path and of the folders above it, opened for everybody.
pub(super) struct Modes(Vec<(PathBuf, u32)>);

impl Modes {
    /// Opens a file or socket, and the way to it from the data folder on.
    pub(super) fn open(platform: &Platform, path: &Path) -> Self {
        let data = platform.data();
        let way = path.ancestors().take_while(|part| part.starts_with(&data) && *part != data);
        let mut before = Vec::new();
        for part in way {
            let metadata = fs::metadata(part).unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let more = match metadata.file_type() {
                kind if kind.is_dir() => 0o005,
                kind if kind.is_socket() => 0o006,
                _ => 0o004,
            };
            fs::set_permissions(part, fs::Permissions::from_mode(mode | more)).unwrap();
            before.push((part.to_owned(), mode));
        }
        Self(before)
    }

    /// As it was before.
    pub(super) fn restore(self) {
        for (path, mode) in self.0 {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

/// php-fpm's configuration, changed on disk and read again by the running master.
pub(super) struct FpmConfig {
    before: Vec<(PathBuf, String)>,
    master: i32,
}

impl FpmConfig {
    /// Lets sites see each other's scripts in the opcode cache and ask about it, and PHP send files to
    /// the database server.
    pub(super) async fn loosen(platform: &Platform, site: &Site) -> Self {
        let folder = platform.path("shards/aipress-shard-001/php");
        let mut before = Vec::new();
        for name in ["php.ini", "php-fpm.conf"] {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).unwrap();
            let mut loose: String = text
                .replace("opcache.validate_permission=1", "opcache.validate_permission=0")
                .lines()
                .filter(|line| !line.contains("[disable_functions]"))
                .flat_map(|line| [line, "\n"])
                .collect();
            if name == "php.ini" {
                loose.push_str("mysqli.allow_local_infile=1\n");
            }
            assert_ne!(loose, text, "{}", path.display());
            fs::write(&path, loose).unwrap();
            before.push((path, text));
        }
        let master = platform.pid("aipress-shard-001-php-fpm").await;
        let config = Self { before, master };
        config.read_again(site, "0").await;
        config
    }

    /// As it was before.
    pub(super) async fn restore(self, site: &Site) {
        for (path, text) in &self.before {
            fs::write(path, text).unwrap();
        }
        self.read_again(site, "1").await;
    }

    /// php-fpm's master starts anew in its own process on `SIGUSR2`.
    async fn read_again(&self, site: &Site, wanted: &str) {
        let pid = rustix::process::Pid::from_raw(self.master).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::USR2).unwrap();
        wait_until(SEEN, "php-fpm reads its configuration again", async || {
            let code = "return 'permission=' . ini_get('opcache.validate_permission') . ';';";
            let said = site.try_run(code).await?;
            if said.contains(&format!("permission={wanted};")) { Ok(()) } else { Err(said) }
        })
        .await;
    }
}
