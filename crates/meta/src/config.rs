//! What the binary tells meta when it starts it. Nothing here reads a file or a variable.

use std::path::PathBuf;
use std::time::Duration;

use aipress_feed::webhooks::WebhookConfig;
use aipress_kit::clock::Clock;
use aipress_kit::listen::Listener;
use aipress_mirror::PackagesConfig;
use aipress_types::Secret;

use crate::streams::StreamLimits;

/// Everything that meta needs to run.
#[derive(Debug)]
pub struct MetaConfig {
    /// The registry's database file; its folder must exist.
    pub registry_path: PathBuf,
    /// The key that seals tenants' secrets.
    pub master_key: MasterKey,
    /// Where the public API is served (the edge forwards the console's host here).
    pub public: Listener,
    /// Where the calls between roles are served.
    pub internal: Listener,
    /// JSON file `{"<role>": "<sha256 of its token, hex>"}`: who may call the internal API.
    pub role_tokens: PathBuf,
    /// Meta's own token, shown to shards; `None` when they trust their socket's mode.
    pub own_token: Option<Secret>,
    /// The federation's current epoch.
    pub federation: Federation,
    /// How addresses of sites are made.
    pub sites: SiteUrls,
    /// File (0600) that the first platform-admin's token is written to.
    pub admin_token_file: PathBuf,
    /// How many event streams there may be.
    pub streams: StreamLimits,
    /// How webhooks are called.
    pub webhooks: WebhookConfig,
    /// PHP of the shards, such as `8.2`; `None` where nobody knows.
    pub php: Option<String>,
    /// The mirror of plugins and themes.
    pub packages: PackagesConfig,
    /// Where ends of the audit log's chains are signed for.
    pub checkpoints: CheckpointConfig,
    /// The time of day.
    pub clock: Clock,
}

/// Checkpoints of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointConfig {
    /// The file, outside of the registry; its folder must exist.
    pub path: PathBuf,
    /// Time between two; one more is written at the end.
    pub interval: Duration,
}

impl CheckpointConfig {
    /// One each minute in which something was done.
    pub fn new(path: PathBuf) -> Self {
        Self { path, interval: Duration::from_secs(60) }
    }
}

/// Where the master key comes from: always outside of the database.
#[derive(Debug, Clone)]
pub enum MasterKey {
    /// A file of 64 hex digits; made (0400) at the first start.
    File(PathBuf),
    /// 64 hex digits, such as a variable held.
    Hex(Secret),
}

/// The federation as placement sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Federation {
    /// Shards in the current epoch, not those alive.
    pub shards: u32,
}

/// How a tenant's name becomes its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrls {
    /// `http` or `https`.
    pub scheme: String,
    /// Domain that sites are below, such as `localhost`.
    pub base_domain: String,
    /// Port that visitors use.
    pub public_port: u16,
    /// Host (without port) of the console and the API: no tenant gets it.
    pub console_host: String,
}

impl SiteUrls {
    /// Host name of the tenant `name`, without port, such as `bakery.localhost`.
    pub fn host(&self, name: &str) -> String {
        format!("{name}.{}", self.base_domain)
    }

    /// The same with the port, unless it is the scheme's own (RFC 9110 section 4.2).
    pub fn authority(&self, name: &str) -> String {
        match (self.scheme.as_str(), self.public_port) {
            ("http", 80) | ("https", 443) => self.host(name),
            (_, port) => format!("{}:{port}", self.host(name)),
        }
    }

    /// Address of the site, such as `http://bakery.localhost:8080`.
    pub fn home(&self, name: &str) -> String {
        format!("{}://{}", self.scheme, self.authority(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_the_schemes_own_is_not_shown() {
        let mut urls = SiteUrls {
            scheme: "http".into(),
            base_domain: "localhost".into(),
            public_port: 8080,
            console_host: "console.localhost".into(),
        };
        assert_eq!(urls.home("bakery"), "http://bakery.localhost:8080");
        urls.public_port = 80;
        assert_eq!(urls.home("bakery"), "http://bakery.localhost");
        urls.scheme = "https".into();
        assert_eq!(urls.home("bakery"), "https://bakery.localhost:80");
    }
}
