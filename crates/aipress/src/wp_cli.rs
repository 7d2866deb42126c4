//! The wp-cli archive that an operator has configured: verified, and kept in the data folder, so
//! that what runs in sites is what was verified whatever becomes of the file.

use std::fs;
use std::path::PathBuf;

use aipress_drivers::DataPaths;
use aipress_kit::durable;
use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;

use crate::settings::Settings;
use crate::settings::WpCli;

/// Largest archive, in bytes; wp-cli's has some 7 MB.
const ARCHIVE_MAX: u64 = 64 * 1024 * 1024;

/// Keeps the archive unless it is kept already.
///
/// # Errors
/// When the file is not there or is another one, in words that say what to do.
pub(crate) fn install(paths: &DataPaths, wanted: &WpCli) -> anyhow::Result<()> {
    let sum = wanted.sha256.to_ascii_lowercase();
    anyhow::ensure!(
        sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "wpCli.sha256 in config.json is no SHA-256: 64 hex digits"
    );
    let kept = file(paths, wanted);
    if fs::read(&kept).is_ok_and(|bytes| digest(&bytes) == sum) {
        return Ok(());
    }
    let shown = wanted.archive.display();
    let size = fs::metadata(&wanted.archive)
        .with_context(|| format!("the wp-cli archive of config.json: {shown}"))?
        .len();
    anyhow::ensure!(size <= ARCHIVE_MAX, "{shown} is larger than any wp-cli archive");
    let bytes = fs::read(&wanted.archive).with_context(|| format!("read {shown}"))?;
    let found = digest(&bytes);
    anyhow::ensure!(
        found == sum,
        "{shown} is not the wp-cli archive that config.json means: its SHA-256 is {found}, \
         wpCli.sha256 says {sum}"
    );
    durable::write(&kept, &bytes, 0o444).with_context(|| format!("write {}", kept.display()))
}

/// The archive that is kept; `None` where none is configured.
pub(crate) fn installed(paths: &DataPaths, settings: &Settings) -> Option<PathBuf> {
    let kept = file(paths, settings.wp_cli.as_ref()?);
    kept.is_file().then_some(kept)
}

fn file(paths: &DataPaths, wanted: &WpCli) -> PathBuf {
    paths.wp_cli().join(format!("{}.phar", wanted.sha256.to_ascii_lowercase()))
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_archive_that_is_meant_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let paths = DataPaths::new(dir.path()).unwrap();
        fs::create_dir(paths.wp_cli()).unwrap();
        let archive = dir.path().join("wp.phar");
        fs::write(&archive, b"phar").unwrap();
        let mut wanted = WpCli { archive: archive.clone(), sha256: digest(b"other") };
        let refused = install(&paths, &wanted).unwrap_err().to_string();
        assert!(refused.contains(&digest(b"phar")), "{refused}");
        wanted.sha256 = digest(b"phar");
        install(&paths, &wanted).unwrap();
        // The file may change or go: what was verified stays.
        fs::remove_file(&archive).unwrap();
        install(&paths, &wanted).unwrap();
        let settings = Settings { wp_cli: Some(wanted), ..Settings::default() };
        assert_eq!(fs::read(installed(&paths, &settings).unwrap()).unwrap(), b"phar");
    }
}
