//! WordPress's own installer, run once for each core version to make the template database.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aipress_drivers::DriverError;
use aipress_drivers::TemplateAccess;
use aipress_drivers::TemplateSource;
use aipress_drivers::UnixIds;
use aipress_drivers::database::TEMPLATE_EMAIL;
use aipress_drivers::database::TEMPLATE_HOME;
use async_trait::async_trait;
use tokio::io::AsyncWriteExt;

/// The installer takes half a second; a machine under load takes longer.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Runs `install.php` of the platform's PHP side as an unprivileged user.
#[derive(Debug, Clone)]
pub struct WordPressInstaller {
    /// The PHP command line program.
    pub php: PathBuf,
    /// What runs inside WordPress; its name changes with its contents.
    pub php_dir: PathBuf,
    /// The core.
    pub core_dir: PathBuf,
    /// Whom it runs as; `None` is the shard's own user.
    pub run_as: Option<UnixIds>,
}

#[async_trait]
impl TemplateSource for WordPressInstaller {
    fn revision(&self) -> String {
        // The installer's own text decides, not the whole PHP side: a changed drop-in leaves the
        // template as it is.
        self.php_dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }

    async fn fill(&self, access: &TemplateAccess) -> Result<(), DriverError> {
        let request = serde_json::json!({
            "core_dir": self.core_dir,
            "title": "AIPress",
            "locale": "en_US",
            "home": TEMPLATE_HOME,
            "admin": { "login": "admin", "email": TEMPLATE_EMAIL },
            "db": {
                "socket": access.socket,
                "name": access.database,
                "user": access.user,
                "password": access.password.expose(),
            },
        });
        let failed = |detail: String| DriverError::Failed {
            what: "install wordpress into the template".to_owned(),
            detail,
        };
        let mut command = tokio::process::Command::new(&self.php);
        command
            .arg(self.php_dir.join("install.php"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(ids) = self.run_as {
            command.uid(ids.uid).gid(ids.gid);
        }
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            let body = request.to_string();
            stdin.write_all(body.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        }
        let output = tokio::time::timeout(TIME_LIMIT, child.wait_with_output())
            .await
            .map_err(|_| failed(format!("no end within {} s", TIME_LIMIT.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&output.stdout)
            .chars()
            .chain(String::from_utf8_lossy(&output.stderr).chars())
            .take(600)
            .collect();
        Err(failed(format!("{}: {}", output.status, said.trim())))
    }
}
