//! WordPress's own installer, as a person with a hosting account uses it.

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;

use crate::client::Connection;
use crate::cores::Cores;
use crate::peer::Database;
use crate::peer::DatabaseName;
use crate::peer::Peer;
use crate::peer::Site;
use crate::stats::Seeded;

/// PHP workers; WordPress asks itself while it installs.
const WORKERS: u32 = 4;
const USER: &str = "bench_install";
const PASSWORD: &str = "bench-install";

/// A plain WordPress whose database changes with each installation.
pub(super) struct Installer {
    peer: Peer,
    site: Site,
    /// Holds the name of the database.
    name_file: PathBuf,
}

impl Installer {
    /// Starts the peer and makes its user on the shard's server.
    pub(super) async fn start(site: &Site, cores: Cores, dir: &Path) -> anyhow::Result<Self> {
        let name_file = dir.join("installer-database");
        std::fs::write(&name_file, "none")?;
        let database = Database {
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            name: DatabaseName::InFile(name_file.clone()),
            ..site.database()
        };
        site.sql(&format!(
            "CREATE USER '{USER}'@'localhost' IDENTIFIED BY '{PASSWORD}'; \
             GRANT ALL ON `{}%`.* TO '{USER}'@'localhost'",
            USER.replace('_', "\\_")
        ))
        .await?;
        let peer = Peer::stock(site, &database, WORKERS, cores, dir).await?;
        let mut installer = Self { peer, site: site.clone(), name_file };
        // The opcode cache is filled by one installation that does not count.
        installer.install(&mut Seeded::new(0)).await?;
        Ok(installer)
    }

    /// One installation: milliseconds of the installer, and of the first page after it.
    pub(super) async fn install(&mut self, seeded: &mut Seeded) -> anyhow::Result<(f64, f64)> {
        let database = seeded.name(USER).replace('-', "_");
        self.site.sql(&format!("CREATE DATABASE `{database}` CHARACTER SET utf8mb4")).await?;
        std::fs::write(&self.name_file, &database)?;
        let host = self.peer.address.to_string();
        let title = format!("The Site {database}");
        let form = format!(
            "weblog_title={}&user_name=admin&admin_password={PASSWORD}&admin_password2={PASSWORD}\
             &pw_weak=1&admin_email=admin%40example.org&blog_public=1&Submit=Install&language=",
            title.replace(' ', "+")
        );
        let mut connection = Connection::open(self.peer.address).await?;
        let began = Instant::now();
        let answer = connection.post(&host, "/wp-admin/install.php?step=2", form).await?;
        let installed = began.elapsed();
        ensure!(
            answer.status == 200 && answer.has("wp-login.php"),
            "the installer did not install: status {}: {:.600}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        let mut connection = Connection::open(self.peer.address).await?;
        let began = Instant::now();
        let page = connection.get(&host, "/").await?;
        let shown = began.elapsed();
        ensure!(
            page.status == 200 && page.has(&format!("<title>{title}")),
            "no page after the installer: status {}",
            page.status
        );
        self.site.sql(&format!("DROP DATABASE `{database}`")).await?;
        Ok((installed.as_secs_f64() * 1000.0, shown.as_secs_f64() * 1000.0))
    }
}
