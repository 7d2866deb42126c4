//! A site that runs any PHP that the test sends it, as after a break-in, and attacks made of that.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use aipress_testkit::Browser;
use aipress_testkit::Platform;
use aipress_testkit::wait_until;
use serde_json::Value;

/// Longest that a guard is taken away again and again.
const LOOSENED: Duration = Duration::from_secs(60);
/// What nobody else is to see.
pub(super) const MARK: &str = "only-for-its-owner-7f3a";
/// A file of the site's own that runs what it is sent.
const SHELL: &str = r#"<?php
if ( isset( $_SERVER['HTTP_X_SHELL'] ) ) {
	error_reporting( E_ALL );
	ob_start();
	try {
		$result = eval( file_get_contents( 'php://input' ) );
	} catch ( \Throwable $e ) {
		$result = 'threw: ' . $e->getMessage();
	}
	$printed = ob_get_clean();
	header( 'Content-Type: application/json' );
	echo json_encode( array( $result, $printed, error_get_last() ), JSON_INVALID_UTF8_SUBSTITUTE );
	exit;
}
"#;

/// A site whose PHP does as the test says.
pub(super) struct Site {
    pub(super) uid: String,
    /// Its name in MariaDB and Redis.
    pub(super) handle: String,
    pub(super) dir: PathBuf,
    pub(super) slot_dir: PathBuf,
    /// `site.json`: its credentials, as the test reads them from outside.
    pub(super) config: Value,
    /// Its Unix user.
    pub(super) user: u32,
    browser: Browser,
}

impl Site {
    /// Makes the site and breaks into it.
    pub(super) async fn new(platform: &Platform, name: &str) -> Self {
        let uid = platform.create(name).await;
        let shard = platform.path("shards/aipress-shard-001");
        let slot_dir = fs::read_dir(shard.join("slots"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|slot| fs::read_to_string(slot.join("site.json")).is_ok_and(|t| t.contains(&uid)))
            .expect("a slot of the site");
        let config =
            serde_json::from_slice(&fs::read(slot_dir.join("site.json")).unwrap()).unwrap();
        let dir = shard.join("sites").join(&uid);
        let site = Self {
            handle: format!("t_{}", uid.replace('-', "")),
            user: fs::metadata(&dir).unwrap().uid(),
            browser: platform.visitor(name),
            uid,
            dir,
            slot_dir,
            config,
        };
        site.put("wp-content/mu-plugins/shell.php", SHELL);
        site
    }

    /// Writes a file below the site's folder as its own user would.
    pub(super) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        self.own_file(&path, text);
        path
    }

    /// Writes a file, and its folder, as the site's own user would.
    pub(super) fn own_file(&self, path: &Path, text: &str) {
        let folder = path.parent().unwrap();
        if !folder.exists() {
            fs::create_dir(folder).unwrap();
            self.own(folder, 0o750);
        }
        fs::write(path, text).unwrap();
        self.own(path, 0o640);
    }

    fn own(&self, path: &Path, mode: u32) {
        chown(path, Some(self.user), Some(self.user)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A credential of `site.json`, such as `/db/password`.
    pub(super) fn secret(&self, pointer: &str) -> &str {
        self.config.pointer(pointer).and_then(Value::as_str).expect("a credential")
    }

    /// Runs PHP in the site: what it returned, what it printed and its last complaint, as text.
    pub(super) async fn run(&self, code: &str) -> String {
        self.try_run(code).await.unwrap_or_else(|error| panic!("{code}: {error}"))
    }

    /// The same; an error when PHP does not answer, as while it starts anew.
    pub(super) async fn try_run(&self, code: &str) -> Result<String, String> {
        let headers = [("x-shell", "1"), ("content-type", "application/octet-stream")];
        let mut browser = self.browser.clone();
        let answer = browser.send("POST", "/", &headers, code.to_owned()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let said: Vec<Value> = serde_json::from_slice(&answer.body)
            .map_err(|_| format!("{}: {}", answer.status, answer.text()))?;
        let words = said.iter().map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned));
        Ok(words.collect::<Vec<String>>().join("\n"))
    }

    /// Every attack fails.
    pub(super) async fn gets_nothing_by(&self, when: &str, attacks: &[Attack]) {
        let mut wrong = Vec::new();
        for attack in attacks {
            let said = self.run(&attack.code).await;
            if said.contains(&attack.loot) {
                wrong.push(format!("{} got it: {said}", attack.what));
            }
        }
        assert!(wrong.is_empty(), "{when}:\n{}", wrong.join("\n"));
    }

    /// Every attack succeeds once `loosen` was called. The platform may put a guard back at any
    /// moment, since it looks at everything again: then once more.
    pub(super) async fn gets_it_after(&self, when: &str, attacks: &[Attack], loosen: impl Fn()) {
        for attack in attacks {
            let what = format!("{when}: {} succeeds", attack.what);
            wait_until(LOOSENED, &what, async || {
                loosen();
                let said = self.run(&attack.code).await;
                if said.contains(&attack.loot) { Ok(()) } else { Err(said) }
            })
            .await;
        }
    }

    /// Every attack succeeds: it would be noticed.
    pub(super) async fn gets_it_by(&self, when: &str, attacks: &[Attack]) {
        let mut wrong = Vec::new();
        for attack in attacks {
            let said = self.run(&attack.code).await;
            if !said.contains(&attack.loot) {
                wrong.push(format!("{} got nothing: {said}", attack.what));
            }
        }
        assert!(wrong.is_empty(), "{when}:\n{}", wrong.join("\n"));
    }
}

/// What the kernel refuses to every user but root, and nobody can switch off for a test alone: the
/// same PHP succeeds as root, whom it does not hold.
pub(super) fn root_gets_it_by(attacks: &[Attack]) {
    for attack in attacks {
        let run = format!("$it = (function () {{ {} }})();", attack.code);
        let code = format!("{run} echo is_string($it) ? $it : json_encode($it);");
        let output = Command::new("php").args(["-r", &code]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&attack.loot), "as root: {} got nothing: {said}", attack.what);
    }
}

/// PHP, and what shows in what it says when it succeeds.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    pub(super) what: String,
    pub(super) code: String,
    pub(super) loot: String,
}

impl Attack {
    pub(super) fn new(
        what: impl Into<String>,
        code: impl Into<String>,
        loot: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), code: code.into(), loot: loot.into() }
    }

    /// Reads a file plainly.
    pub(super) fn reading(path: &Path, loot: impl Into<String>) -> Self {
        let path = path.display();
        Self::new(format!("reading {path}"), format!("return file_get_contents('{path}');"), loot)
    }
}
