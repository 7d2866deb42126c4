//! `config.json` of the data folder: what `aipress up` was told, remembered for the next time
//! and read by every role.

mod keys;
mod mail;
mod outgoing;
mod verbs;

pub(crate) use keys::KEYS;
pub(crate) use keys::Key;
pub(crate) use mail::MailSettings;
pub(crate) use outgoing::OutgoingSettings;
pub(crate) use verbs::run;

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use aipress_drivers::DataPaths;
use aipress_drivers::UidPlan;
use aipress_drivers::uids::DEFAULT_UID_BASE;
use aipress_kit::durable;
use aipress_meta::StreamLimits;
use aipress_shard::LimitOverrides;
use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;

use crate::args::Up;
use crate::words;

/// Shards on one machine at most.
pub(crate) const MAX_SHARDS: u32 = 50;
/// First Unix ids that may be chosen: above those of people and services.
pub(crate) const UID_BASES: std::ops::RangeInclusive<u32> = 1_000..=1_000_000_000;

/// Event streams at most: meta takes 4,096 connections, and calls need some of them.
const MAX_STREAMS: usize = 3_584;

/// The settings of one platform on one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Address that the edge listens on.
    pub(crate) listen: SocketAddr,
    /// Shards on this machine.
    pub(crate) shards: u32,
    /// First Unix id of the platform's users.
    pub(crate) uid_base: u32,
    /// Domain that sites are below.
    pub(crate) base_domain: String,
    /// Host of console and API.
    pub(crate) console_host: String,
    /// Region that the shards are in.
    pub(crate) region: String,
    /// WordPress core of new sites: a full version, chosen at the first `up`.
    pub(crate) wordpress: Option<String>,
    /// Whether edge and gateways log each request.
    pub(crate) access_log: bool,
    /// What proves the audit log.
    pub(crate) audit: AuditSettings,
    /// The wp-cli archive that commands in sites run in; without it the platform's own agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wp_cli: Option<WpCli>,
    /// Address of the directory that plugins and themes come from.
    pub(crate) directory: String,
    /// InnoDB's buffer pool of each shard's server, in MiB.
    pub(crate) buffer_pool_mib: Option<u32>,
    /// Where the sites' mail goes.
    pub(crate) mail: MailSettings,
    /// What sites may reach of private networks.
    pub(crate) outgoing: OutgoingSettings,
    /// Limits of each site in place of its tier's.
    pub(crate) limits: LimitSettings,
    /// How webhooks are called.
    pub(crate) webhooks: WebhookSettings,
    /// Event streams at once.
    pub(crate) streams: StreamSettings,
}

/// What proves the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct AuditSettings {
    /// File of its checkpoints, such as one on another disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoints: Option<PathBuf>,
}

impl AuditSettings {
    /// Where checkpoints are.
    pub(crate) fn path(&self, paths: &DataPaths) -> PathBuf {
        self.checkpoints.clone().unwrap_or_else(|| paths.checkpoints())
    }

    fn check(&self) -> anyhow::Result<()> {
        let has_folder = |path: &PathBuf| path.is_absolute() && path.file_name().is_some();
        anyhow::ensure!(
            self.checkpoints.as_ref().is_none_or(has_folder),
            "audit.checkpoints must be the path of a file from the root, such as \
             /mnt/proof/checkpoints.jsonl"
        );
        Ok(())
    }
}

/// How webhooks are called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct WebhookSettings {
    /// Whether they may go to private addresses and by plain `http:`, which lets whoever makes a
    /// webhook call what only this machine can reach.
    pub(crate) allow_private: bool,
    /// File of the authorities (PEM) that vouch for endpoints, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorities: Option<PathBuf>,
}

/// Limits of each site in place of its tier's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct LimitSettings {
    /// Files, in MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_mb: Option<u32>,
    /// Database, in MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_mb: Option<u32>,
    /// Memory of all processes, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_mib: Option<u32>,
    /// CPU, in thousandths of a core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_millis: Option<u32>,
}

/// Less memory than this and no page of WordPress comes.
const MEMORY_MIN_MIB: u32 = 128;
/// Less CPU than this and no page comes in time.
const CPU_MIN_MILLIS: u32 = 50;

impl LimitSettings {
    /// As shards take them.
    pub(crate) fn overrides(&self) -> LimitOverrides {
        LimitOverrides {
            storage_bytes: self.storage_mb.map(|mb| u64::from(mb) * 1_000_000),
            database_bytes: self.database_mb.map(|mb| u64::from(mb) * 1_000_000),
            memory_bytes: self.memory_mib.map(|mib| u64::from(mib) << 20),
            cpu_millis: self.cpu_millis,
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.memory_mib.is_none_or(|mib| mib >= MEMORY_MIN_MIB),
            "limits.memoryMib must be {MEMORY_MIN_MIB} at least"
        );
        anyhow::ensure!(
            self.cpu_millis.is_none_or(|millis| millis >= CPU_MIN_MILLIS),
            "limits.cpuMillis must be {CPU_MIN_MILLIS} at least"
        );
        Ok(())
    }
}

/// Event streams at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct StreamSettings {
    /// In all.
    pub(crate) total: usize,
    /// Of one user.
    pub(crate) per_user: usize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        let limits = StreamLimits::default();
        Self { total: limits.total, per_user: limits.per_caller }
    }
}

/// A wp-cli archive: a file of this machine or of an address, taken only when it is the one that is
/// meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WpCli {
    /// Path of `wp-cli.phar`, or the address (`https:` or `http:`) that `up` gets it from.
    pub(crate) archive: String,
    /// Its SHA-256, 64 hex digits.
    pub(crate) sha256: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            shards: 2,
            uid_base: DEFAULT_UID_BASE,
            base_domain: "localhost".to_owned(),
            console_host: "console.localhost".to_owned(),
            region: aipress_types::capacity::REGIONS[0].to_owned(),
            wordpress: None,
            access_log: true,
            audit: AuditSettings::default(),
            wp_cli: None,
            directory: "https://api.wordpress.org".to_owned(),
            buffer_pool_mib: None,
            mail: MailSettings::default(),
            outgoing: OutgoingSettings::default(),
            limits: LimitSettings::default(),
            webhooks: WebhookSettings::default(),
            streams: StreamSettings::default(),
        }
    }
}

impl Settings {
    /// What is remembered; the defaults when nothing is.
    ///
    /// # Errors
    /// When the file is there and can't be read or understood.
    pub(crate) fn load(paths: &DataPaths) -> anyhow::Result<Self> {
        Self::read(&paths.config())
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| explained(&error))
                .and_then(Self::checked)
                .with_context(|| format!("settings in {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("settings in {}", path.display())),
        }
    }

    /// What these values make.
    ///
    /// # Errors
    /// When one is unknown or wrong.
    fn parse(value: serde_json::Value) -> anyhow::Result<Self> {
        serde_json::from_value(value).map_err(|error| explained(&error)).and_then(Self::checked)
    }

    /// Refuses figures that the command line would refuse.
    fn checked(self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            (1..=MAX_SHARDS).contains(&self.shards),
            "shards is {}, must be 1 to {MAX_SHARDS}",
            self.shards
        );
        anyhow::ensure!(
            UID_BASES.contains(&self.uid_base),
            "uidBase is {}, must be {} to {}",
            self.uid_base,
            UID_BASES.start(),
            UID_BASES.end()
        );
        self.audit.check()?;
        self.limits.check()?;
        let StreamSettings { total, per_user } = self.streams;
        anyhow::ensure!(
            (1..=MAX_STREAMS).contains(&total) && (1..=total).contains(&per_user),
            "streams.total is {total}, must be 1 to {MAX_STREAMS}; streams.perUser is {per_user}, \
             must be 1 to streams.total"
        );
        self.mail.for_shard(&self.base_domain)?;
        Ok(self)
    }

    /// What was told now goes over what is remembered.
    ///
    /// # Errors
    /// When it asks for what would lose or orphan something.
    pub(crate) fn told(mut self, up: &Up, existing: bool) -> Result<Self, String> {
        if let Some(listen) = up.listen {
            self.listen = listen;
        }
        if let Some(shards) = up.shards {
            if existing && shards < self.shards {
                return Err(format!(
                    "this platform has {} shards; taking one away is not available yet",
                    self.shards
                ));
            }
            self.shards = shards;
        }
        if let Some(base) = up.uid_base {
            if existing && base != self.uid_base {
                return Err(format!(
                    "the files of this platform belong to users from {} on; --uid-base can only \
                     be given at the first start",
                    self.uid_base
                ));
            }
            self.uid_base = base;
        }
        Ok(self)
    }

    /// Remembers.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn save(&self, paths: &DataPaths) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(self)?;
        let path = paths.config();
        durable::write(&path, &bytes, 0o644).with_context(|| format!("write {}", path.display()))
    }

    /// Who runs as whom.
    pub(crate) fn uids(&self) -> UidPlan {
        UidPlan::detect(self.uid_base)
    }

    /// Address of the API, for people.
    pub(crate) fn console_url(&self) -> String {
        format!("http://{}", self.authority(&self.console_host))
    }

    /// Address of a site.
    pub(crate) fn site_url(&self, name: &str) -> String {
        format!("http://{}/", self.authority(&format!("{name}.{}", self.base_domain)))
    }

    fn authority(&self, host: &str) -> String {
        match self.listen.port() {
            80 => host.to_owned(),
            port => format!("{host}:{port}"),
        }
    }
}

/// The error, and for an unknown field the one that was probably meant: serde names all there are.
fn explained(error: &serde_json::Error) -> anyhow::Error {
    let text = error.to_string();
    let mut words = text.split('`').skip(1).step_by(2);
    let meant = text.contains("unknown field").then(|| {
        let unknown = words.next()?;
        words::closest(unknown, words)
    });
    match meant.flatten() {
        Some(meant) => anyhow::anyhow!("{text}: did you mean `{meant}`?"),
        // Rust's names of types say nothing to people.
        None => anyhow::anyhow!(
            text.replace("expected u32", "a whole number is wanted")
                .replace("expected a boolean", "true or false is wanted")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up() -> Up {
        Up {
            listen: None,
            shards: None,
            uid_base: None,
            wordpress: None,
            detach: false,
            no_hello: false,
        }
    }

    #[test]
    fn shards_and_users_of_a_platform_that_has_data_are_not_taken_away() {
        let fewer = Up { shards: Some(1), ..up() };
        assert!(Settings::default().told(&fewer, true).is_err());
        assert_eq!(Settings::default().told(&fewer, false).unwrap().shards, 1);
        let more = Up { shards: Some(3), ..up() };
        assert_eq!(Settings::default().told(&more, true).unwrap().shards, 3);
        let moved = Up { uid_base: Some(90_000), ..up() };
        assert!(Settings::default().told(&moved, true).is_err());
    }

    #[test]
    fn unknown_settings_are_errors_and_missing_ones_defaults() {
        let parsed = |text: &str| Settings::parse(serde_json::from_str(text).unwrap());
        let error = parsed(r#"{"lisen":"127.0.0.1:1"}"#).unwrap_err().to_string();
        assert!(error.contains("did you mean `listen`?"), "{error}");
        let error = parsed(r#"{"webhooks":{"alowPrivate":true}}"#).unwrap_err().to_string();
        assert!(error.contains("`allowPrivate`"), "{error}");
        let some: Settings = serde_json::from_str(r#"{"shards":7}"#).unwrap();
        assert_eq!(some, Settings { shards: 7, ..Settings::default() });
    }

    #[test]
    fn figures_out_of_range_are_refused() {
        let many = Settings { shards: 379_381, ..Settings::default() };
        assert!(many.checked().is_err());
        let none = Settings { shards: 0, ..Settings::default() };
        assert!(none.checked().is_err());
        let root = Settings { uid_base: 0, ..Settings::default() };
        assert!(root.checked().is_err());
        let streams = |total, per_user| Settings {
            streams: StreamSettings { total, per_user },
            ..Settings::default()
        };
        for (total, per_user) in [(0, 0), (3_585, 1), (10, 11), (10, 0)] {
            assert!(streams(total, per_user).checked().is_err(), "{total} {per_user}");
        }
        assert!(streams(3_584, 3_584).checked().is_ok());
        assert!(Settings::default().checked().is_ok());
    }

    #[test]
    fn addresses_leave_out_the_port_of_http() {
        let mut settings = Settings::default();
        assert_eq!(settings.console_url(), "http://console.localhost:8080");
        settings.listen.set_port(80);
        assert_eq!(settings.site_url("bakery"), "http://bakery.localhost/");
    }
}
