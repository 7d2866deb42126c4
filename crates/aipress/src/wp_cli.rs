//! The wp-cli archive that an operator has configured: verified, and kept in the data folder, so
//! that what runs in sites is what was verified whatever becomes of the file.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use aipress_drivers::DataPaths;
use aipress_kit::durable;
use aipress_kit::http::outgoing;
use aipress_kit::http::outgoing::Bounds;
use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::Trust;
use aipress_kit::http::outgoing::any_address;
use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;

use crate::settings::Settings;
use crate::settings::WpCli;

/// Largest archive, in bytes; wp-cli's has some 7 MB.
const ARCHIVE_MAX: u64 = 64 * 1024 * 1024;
/// What getting it may cost: `up` waits for it.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(10),
    total: Duration::from_secs(120),
    body_max: ARCHIVE_MAX,
    redirects: 5,
};

/// Keeps the archive unless it is kept already.
///
/// # Errors
/// When the file is not there or is another one, in words that say what to do.
pub(crate) async fn install(paths: &DataPaths, wanted: &WpCli) -> anyhow::Result<()> {
    let sum = wanted.sha256.to_ascii_lowercase();
    anyhow::ensure!(
        sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "wpCli.sha256 in config.json is no SHA-256: 64 hex digits"
    );
    let kept = file(paths, wanted);
    if fs::read(&kept).is_ok_and(|bytes| digest(&bytes) == sum) {
        return Ok(());
    }
    let shown = &wanted.archive;
    let is_address = ["https://", "http://"].iter().any(|scheme| shown.starts_with(scheme));
    let bytes = if is_address { download(shown).await } else { read(Path::new(shown)) }
        .with_context(|| format!("the wp-cli archive of config.json: {shown}"))?;
    let found = digest(&bytes);
    anyhow::ensure!(
        found == sum,
        "{shown} is not the wp-cli archive that config.json means: its SHA-256 is {found}, \
         wpCli.sha256 says {sum}"
    );
    durable::write(&kept, &bytes, 0o444).with_context(|| format!("write {}", kept.display()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    anyhow::ensure!(size <= ARCHIVE_MAX, "it is larger than any wp-cli archive");
    Ok(fs::read(path)?)
}

/// The checksum, not the transport, says that it is the right one.
async fn download(url: &str) -> anyhow::Result<Vec<u8>> {
    let client = Outgoing::new(&Trust::System, any_address);
    let answer = client.call(outgoing::get(url)?, &BOUNDS).await?;
    anyhow::ensure!(answer.status() == http::StatusCode::OK, "it answers {}", answer.status());
    Ok(answer.into_body().into())
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
    use std::io::Read;
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn only_the_archive_that_is_meant_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let paths = DataPaths::new(dir.path()).unwrap();
        fs::create_dir(paths.wp_cli()).unwrap();
        let archive = dir.path().join("wp.phar");
        fs::write(&archive, b"phar").unwrap();
        let archive = archive.display().to_string();
        let mut wanted = WpCli { archive: archive.clone(), sha256: digest(b"other") };
        let refused = install(&paths, &wanted).await.unwrap_err().to_string();
        assert!(refused.contains(&digest(b"phar")), "{refused}");
        wanted.sha256 = digest(b"phar");
        install(&paths, &wanted).await.unwrap();
        // The file may change or go: what was verified stays.
        fs::remove_file(&archive).unwrap();
        install(&paths, &wanted).await.unwrap();
        let settings = Settings { wp_cli: Some(wanted), ..Settings::default() };
        assert_eq!(fs::read(installed(&paths, &settings).unwrap()).unwrap(), b"phar");
    }

    #[tokio::test]
    async fn an_archive_of_an_address_is_fetched_once_and_verified() {
        let dir = tempfile::tempdir().unwrap();
        let paths = DataPaths::new(dir.path()).unwrap();
        fs::create_dir(paths.wp_cli()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            let mut answers = Vec::new();
            for answer in ["404 Not Found", "200 OK", "200 OK"] {
                let (mut socket, _) = listener.accept().unwrap();
                let mut head = [0; 4096];
                let length = socket.read(&mut head).unwrap();
                answers.push(String::from_utf8_lossy(&head[..length]).into_owned());
                write!(socket, "HTTP/1.1 {answer}\r\ncontent-length: 4\r\n\r\nphar").unwrap();
            }
            answers
        });
        let url = format!("http://{address}/wp-cli.phar");
        let mut wanted = WpCli { archive: url, sha256: digest(b"phar") };
        let missing = format!("{:#}", install(&paths, &wanted).await.unwrap_err());
        assert!(missing.contains("404"), "{missing}");
        wanted.sha256 = digest(b"other");
        let refused = install(&paths, &wanted).await.unwrap_err().to_string();
        assert!(refused.contains(&digest(b"phar")), "{refused}");
        assert_eq!(fs::read_dir(paths.wp_cli()).unwrap().count(), 0, "what is wrong is not kept");
        wanted.sha256 = digest(b"phar");
        install(&paths, &wanted).await.unwrap();
        assert!(served.join().unwrap()[2].starts_with("GET /wp-cli.phar "));
        // Nobody serves any more, and nobody need.
        install(&paths, &wanted).await.unwrap();
    }
}
