//! The official release archives of WordPress, by the `curl` and `tar` programs.
//!
//! `<site>/wordpress-<version>.tar.gz` and its `.sha1` beside it. Which version
//! is the newest (of a branch) says the version check that every WordPress asks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use tokio::process::Command;

use crate::checksums::KnownChecksums;
use crate::error::CoreError;
use crate::manifest::Origin;
use crate::program::{run, run_text};
use crate::store::{Progress, Unpacked, Wanted, blocking};
use crate::tree::Rules;
use crate::version::Version;

/// Time-outs of curl, seconds: to connect; for small answers; for an archive
/// (30 MB over a line of 100 KB a second).
const CONNECT_S: &str = "5";
const SMALL: Duration = Duration::from_secs(15);
const ARCHIVE: Duration = Duration::from_secs(300);
const UNPACK: Duration = Duration::from_secs(120);
/// Larger than any release by an order of magnitude.
const ARCHIVE_BYTES: &str = "300000000";

/// Where releases are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSite {
    archives: String,
    version_check: String,
}

impl Default for ReleaseSite {
    fn default() -> Self {
        Self {
            archives: "https://wordpress.org".to_owned(),
            version_check: "https://api.wordpress.org/core/version-check/1.7/".to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct VersionCheck {
    offers: Vec<Offer>,
}

#[derive(Deserialize)]
struct Offer {
    version: String,
    php_version: Option<String>,
}

impl ReleaseSite {
    /// Another site with the same layout: the folder of the archives and the
    /// address of the version check, as URLs. Only `https:` and `file:` work.
    pub fn new(archives: impl Into<String>, version_check: impl Into<String>) -> Self {
        Self { archives: archives.into(), version_check: version_check.into() }
    }

    /// The full version that answers to `wanted`.
    pub(crate) async fn resolve(
        &self,
        wanted: &Wanted,
        php: &Version,
        progress: Progress<'_>,
    ) -> Result<Version, CoreError> {
        // `6.8.3` is a full version; `6.8` is the newest of its branch.
        if let Wanted::Version(version) = wanted
            && version.to_string().matches('.').count() == 2
        {
            return Ok(version.clone());
        }
        progress("asking for the newest official WordPress release");
        let answer = run_text(&mut self.curl(SMALL, &self.version_check), SMALL * 2).await?;
        let check: VersionCheck = serde_json::from_str(&answer)
            .map_err(|error| CoreError::malformed("the version check's answer", error))?;
        newest(&check.offers, wanted, php).ok_or_else(|| CoreError::Unavailable {
            wanted: wanted.to_string(),
            reasons: format!("no release offered for PHP {php}"),
        })
    }

    /// Downloads and verifies the archive of `version` and unpacks it in `stage`.
    pub(crate) async fn unpack(
        &self,
        version: &Version,
        known: &KnownChecksums,
        stage: &Path,
        progress: Progress<'_>,
    ) -> Result<Unpacked, CoreError> {
        let archive = format!("wordpress-{version}.tar.gz");
        let url = format!("{}/{archive}", self.archives);
        let published = run_text(&mut self.curl(SMALL, &format!("{url}.sha1")), SMALL * 2).await?;
        let published =
            published.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        if published.len() != 40 || !published.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(CoreError::malformed(format!("{archive}.sha1"), "no SHA-1 in it"));
        }
        progress(&format!("downloading WordPress {version}"));
        let path = stage.join(&archive);
        let mut download = self.curl(ARCHIVE, &url);
        run(download.arg("--output").arg(&path), ARCHIVE * 2).await?;
        let (sha1, sha256) = digests(path.clone()).await?;
        if sha1 != published {
            return Err(CoreError::ChecksumRefused {
                what: archive,
                by: "published beside it",
                expected: published,
                actual: sha1,
                memory: known.path(),
            });
        }
        known.check(&archive, &sha256)?;
        progress(&format!("unpacking WordPress {version}"));
        let root = stage.join("root");
        std::fs::create_dir(&root).map_err(CoreError::io("create folder", &root))?;
        let mut tar = Command::new("tar");
        tar.arg("--extract").arg("--gzip").arg("--no-same-owner").arg("--file").arg(&path);
        run(tar.arg("--directory").arg(&root), UNPACK).await?;
        Ok(Unpacked {
            root,
            top: PathBuf::from("wordpress"),
            rules: Rules {
                skip: &["wp-config.php", ".htaccess"],
                substitutes: Vec::new(),
                hard_links: true,
            },
            origin: Origin::Release { archive, sha1, sha256 },
        })
    }

    fn curl(&self, limit: Duration, url: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--silent", "--show-error", "--location", "--proto", "=https,file"]);
        curl.args(["--proto-redir", "=https", "--connect-timeout", CONNECT_S, "--retry", "1"]);
        curl.args(["--max-filesize", ARCHIVE_BYTES, "--max-time", &limit.as_secs().to_string()]);
        curl.arg("--url").arg(url);
        curl
    }
}

fn newest(offers: &[Offer], wanted: &Wanted, php: &Version) -> Option<Version> {
    let runs = |offer: &&Offer| {
        let least = offer.php_version.as_ref().and_then(|v| v.parse::<Version>().ok());
        least.is_none_or(|least| least <= *php)
    };
    let asked = |version: &Version| match wanted {
        Wanted::Default => true,
        Wanted::Version(branch) => version.is_of(branch),
    };
    offers.iter().filter(runs).filter_map(|offer| offer.version.parse().ok()).filter(asked).max()
}

/// SHA-1 and SHA-256 of a file, hex.
async fn digests(path: PathBuf) -> Result<(String, String), CoreError> {
    blocking(move || {
        let contents = std::fs::read(&path).map_err(CoreError::io("read", &path))?;
        Ok((hex::encode(Sha1::digest(&contents)), hex::encode(Sha256::digest(&contents))))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(version: &str, php: &str) -> Offer {
        Offer { version: version.to_owned(), php_version: Some(php.to_owned()) }
    }

    #[test]
    fn the_newest_stable_offer_that_php_runs() {
        let offers = [
            offer("7.2-RC1", "7.4"),
            offer("7.1.4", "8.3"),
            offer("6.8.7", "7.4"),
            offer("6.10.1", "7.4"),
        ];
        let php = "8.2.35".parse().expect("version");
        let pick = |wanted: &str| {
            newest(&offers, &wanted.parse().expect("wanted"), &php).map(|v| v.to_string())
        };
        assert_eq!(pick("default").as_deref(), Some("6.10.1"));
        assert_eq!(pick("6.8").as_deref(), Some("6.8.7"));
        assert_eq!(pick("7.1"), None, "it needs a newer PHP");
    }
}
