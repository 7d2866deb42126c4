//! The peer: what an administrator types. Same server, same site, same compression.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use aipress_api::tenant::TenantView;

use crate::peer::Site;
use crate::platform::Platform;
use crate::transfer::contents;
use crate::transfer::timed;

/// The database that the peer loads into.
const DATABASE: &str = "bench_back";

/// Dumps and archives by pipes.
pub(super) struct Pipes<'a> {
    site: &'a Site,
    site_dir: PathBuf,
    out: PathBuf,
    back: PathBuf,
}

impl<'a> Pipes<'a> {
    pub(super) fn new(
        site: &'a Site,
        platform: &Platform,
        tenant: &TenantView,
        scratch: &Path,
    ) -> Self {
        Self {
            site,
            site_dir: contents::site_dir(platform, tenant),
            out: scratch.join("peer"),
            back: scratch.join("peer-back"),
        }
    }

    pub(super) async fn export(&self) -> anyhow::Result<f64> {
        std::fs::create_dir_all(&self.out)?;
        self.bash(
            "mariadb-dump --no-defaults --socket=\"$SOCKET\" --user=\"$USER\" \
             --single-transaction --quick \"$NAME\" | zstd -q -f -o \"$OUT/db.sql.zst\"\n\
             tar -C \"$SITE\" -cf - wp-content | zstd -q -f -o \"$OUT/files.tar.zst\"",
        )
        .await
    }

    pub(super) async fn import(&self) -> anyhow::Result<f64> {
        self.site.sql(&format!("CREATE DATABASE {DATABASE}")).await?;
        std::fs::create_dir_all(&self.back)?;
        self.bash(
            "zstd -q -dc \"$OUT/db.sql.zst\" | mariadb --no-defaults --socket=\"$SOCKET\" \
             --user=\"$USER\" \"$INTO\"\n\
             zstd -q -dc \"$OUT/files.tar.zst\" | tar -C \"$BACK\" -xf -\n\
             sync -f \"$BACK\"",
        )
        .await
    }

    /// Removes what an import made.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        self.site.sql(&format!("DROP DATABASE {DATABASE}")).await?;
        std::fs::remove_dir_all(&self.back)?;
        Ok(())
    }

    async fn bash(&self, script: &str) -> anyhow::Result<f64> {
        let admin = self.site.admin()?;
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", script])
            .env("SOCKET", self.site.socket())
            .env("USER", admin.user)
            .env("MYSQL_PWD", admin.password)
            .env("NAME", self.site.database_name())
            .env("INTO", DATABASE)
            .env("SITE", &self.site_dir)
            .env("OUT", &self.out)
            .env("BACK", &self.back);
        timed(command).await
    }
}
