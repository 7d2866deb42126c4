//! A WordPress from anywhere: its dump and files become an archive on this machine. Read as text
//! and bytes; nothing of it runs.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use aipress_archive::ArchiveWriter;
use aipress_archive::Finding;
use aipress_archive::Level;
use aipress_archive::Manifest;
use aipress_archive::Report;
use aipress_archive::inspect::CACHES;
use aipress_archive::inspect::DROP_INS;
use aipress_archive::inspect::Inspector;
use aipress_archive::inspect::shown;
use aipress_archive::manifest::FORMAT_VERSION;
use aipress_archive::manifest::ManifestDatabase;
use aipress_archive::manifest::ManifestFiles;
use aipress_archive::manifest::ManifestTenant;
use aipress_archive::manifest::ManifestWordPress;
use aipress_archive::sql::Splitter;
use aipress_archive::write::Fit;
use aipress_kit::clock::Clock;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use tempfile::NamedTempFile;
use time::format_description::well_known::Rfc3339;

/// A chunk of SQL ends after the statement that makes it this long, in bytes.
const CHUNK: usize = 7 * 1024 * 1024;
/// Threads that compress.
const THREADS: usize = 2;
const PIECE: usize = 512 * 1024;
/// Largest `wp-config.php` or `version.php` that is looked into, in bytes.
const TEXT_MAX: u64 = 1024 * 1024;
/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 150;

/// What became of a foreign site.
pub(super) struct Made {
    pub(super) report: Report,
    /// `None` when it was only looked at, or can't be imported.
    pub(super) archive: Option<NamedTempFile>,
}

/// Where a site's parts are.
struct Place {
    content: PathBuf,
    /// The web root, where it was given.
    root: Option<PathBuf>,
}

/// Looks at a site, and makes an archive of it unless it is only looked at.
pub(super) fn archive(
    dump: &Path,
    files: &Path,
    prefix: Option<&str>,
    check: bool,
) -> Result<Made> {
    let place = find(files)?;
    let config = place.root.as_ref().and_then(|root| text(&root.join("wp-config.php")));
    let told = prefix.map(str::to_owned).or_else(|| config.as_deref().and_then(table_prefix));
    let version = place
        .root
        .as_ref()
        .and_then(|root| text(&root.join("wp-includes/version.php")))
        .and_then(|text| assigned(&text, "$wp_version"));
    let mut look = Inspector::new(true);
    if config.as_deref().is_some_and(is_multisite) {
        look.add(Finding::new(
            Level::Error,
            "multisite",
            "wp-config.php says MULTISITE: only single sites are taken; export the wanted site of \
             the network by itself first",
        ));
    }
    let mut splitter = Splitter::new(open(dump)?);
    while let Some(statement) = splitter.next_statement()? {
        look.statement(&statement);
    }
    let mut tree = Vec::new();
    walk(&place.content, Vec::new(), 0, &mut tree)?;
    for entry in &tree {
        match entry.kind {
            Kind::File(size) => look.file(&entry.below, size),
            Kind::Folder => {}
            Kind::Odd => look.add(Finding::new(
                Level::Note,
                "left_out",
                format!("wp-content/{} is left out: no regular file", shown(&entry.below)),
            )),
        }
    }
    let mut report = look.finish(told.as_deref());
    report.wordpress_version.clone_from(&version);
    if check || !report.is_fine() {
        return Ok(Made { report, archive: None });
    }
    let archive = write(dump, &place.content, &tree, &report)?;
    Ok(Made { report, archive: Some(archive) })
}

/// The web root or `wp-content` itself.
fn find(files: &Path) -> Result<Place> {
    if files.join("wp-content").is_dir() {
        let root = Some(files.to_owned());
        return Ok(Place { content: files.join("wp-content"), root });
    }
    let is_content = ["plugins", "themes", "uploads"].iter().any(|name| files.join(name).is_dir());
    if !is_content {
        bail!(
            "--files {}: neither a web root (with wp-content in it) nor a wp-content folder; unpack \
             a zip first",
            files.display()
        );
    }
    let parent = files.parent().filter(|parent| parent.join("wp-includes").is_dir());
    Ok(Place { content: files.to_owned(), root: parent.map(Path::to_owned) })
}

/// The dump, unpacked where it is packed.
fn open(dump: &Path) -> Result<Box<dyn Read>> {
    let context = || format!("--from-sql {}", dump.display());
    let mut file = File::open(dump).with_context(context)?;
    let mut magic = [0; 4];
    let known = file.read(&mut magic).with_context(context)?;
    file.rewind()?;
    let file = BufReader::with_capacity(PIECE, file);
    Ok(match magic.get(..known).unwrap_or_default() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(file)?),
        [b'P', b'K', ..] => bail!("--from-sql {}: it is a zip; unpack it first", dump.display()),
        _ => Box::new(file),
    })
}

fn text(path: &Path) -> Option<String> {
    let mut found = Vec::new();
    File::open(path).ok()?.take(TEXT_MAX).read_to_end(&mut found).ok()?;
    Some(String::from_utf8_lossy(&found).into_owned())
}

/// The value that a line of PHP assigns to a variable: a text in quotes. Comments are skipped.
fn assigned(text: &str, variable: &str) -> Option<String> {
    text.lines().map(str::trim_start).find_map(|line| {
        let rest = line.strip_prefix(variable)?.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        rest.get(1..)?.split(quote).next().map(str::to_owned)
    })
}

fn table_prefix(config: &str) -> Option<String> {
    assigned(config, "$table_prefix")
}

fn is_multisite(config: &str) -> bool {
    config.lines().map(|line| line.replace([' ', '\t', '"'], "'")).any(|line| {
        let line: String = line.chars().filter(|letter| *letter != '\'').collect();
        line.starts_with("define(MULTISITE,true")
    })
}

enum Kind {
    File(u64),
    Folder,
    Odd,
}

struct Entry {
    below: Vec<u8>,
    kind: Kind,
    mtime: u64,
}

/// Everything below `wp-content` by path, no link followed; without what is the platform's here.
fn walk(dir: &Path, below: Vec<u8>, depth: usize, tree: &mut Vec<Entry>) -> Result<()> {
    if depth > DEPTH_MAX {
        bail!("{}: folders nested deeper than {DEPTH_MAX}", dir.display());
    }
    let context = || dir.display().to_string();
    let mut names: Vec<_> = fs::read_dir(dir)
        .with_context(context)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()
        .with_context(context)?;
    names.sort();
    for name in names {
        let is = |list: &[&str]| depth == 0 && list.iter().any(|known| name == *known);
        if is(CACHES) {
            continue;
        }
        let path = dir.join(&name);
        let found = fs::symlink_metadata(&path).with_context(|| path.display().to_string())?;
        let mut at = below.clone();
        if !at.is_empty() {
            at.push(b'/');
        }
        at.extend_from_slice(name.as_bytes());
        let mtime = std::os::unix::fs::MetadataExt::mtime(&found);
        let mtime = u64::try_from(mtime).unwrap_or(0);
        if found.is_dir() {
            tree.push(Entry { below: at.clone(), kind: Kind::Folder, mtime });
            walk(&path, at, depth + 1, tree)?;
        } else if found.is_file() {
            tree.push(Entry { below: at, kind: Kind::File(found.len()), mtime });
        } else {
            tree.push(Entry { below: at, kind: Kind::Odd, mtime });
        }
    }
    Ok(())
}

fn write(dump: &Path, content: &Path, tree: &[Entry], report: &Report) -> Result<NamedTempFile> {
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        platform_version: env!("CARGO_PKG_VERSION").to_owned(),
        tenant: ManifestTenant { name: String::new(), uid: String::new() },
        wordpress: ManifestWordPress {
            version: report.wordpress_version.clone(),
            home: report.home.clone(),
            siteurl: report.siteurl.clone(),
        },
        database: ManifestDatabase {
            table_prefix: report.table_prefix.clone(),
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_unicode_520_ci".to_owned(),
            tables: report.tables,
            bytes: report.database_bytes,
        },
        files: ManifestFiles { count: report.files, bytes: report.file_bytes },
        created_at: Clock::system().now().format(&Rfc3339)?,
        foreign: true,
    };
    let file = NamedTempFile::with_suffix(".aip").context("a temporary file for the archive")?;
    let mut archive = ArchiveWriter::new(file.reopen()?, THREADS, &manifest, 0)?;
    let mut splitter = Splitter::new(open(dump)?);
    let mut chunk = Vec::new();
    while let Some(statement) = splitter.next_statement()? {
        chunk.extend_from_slice(&statement.text);
        chunk.extend_from_slice(b"\n;\n");
        if chunk.len() >= CHUNK {
            archive.database(&chunk)?;
            chunk.clear();
        }
    }
    archive.database(&chunk)?;
    archive.folder(b"", 0)?;
    for entry in tree {
        let is_drop_in = DROP_INS.iter().any(|name| name.as_bytes() == entry.below);
        match entry.kind {
            Kind::Folder => archive.folder(&entry.below, entry.mtime)?,
            Kind::File(size) if !is_drop_in => {
                let path = content.join(Path::new(std::ffi::OsStr::from_bytes(&entry.below)));
                let context = || path.display().to_string();
                let mut file = File::open(&path).with_context(context)?;
                archive.file(&entry.below, size, entry.mtime)?;
                let mut piece = vec![0; PIECE];
                loop {
                    let count = file.read(&mut piece).with_context(context)?;
                    if count == 0 {
                        break;
                    }
                    archive.data(piece.get(..count).unwrap_or_default())?;
                }
                if archive.end_file()? != Fit::Exact {
                    bail!("{} changed while it was read: try again", path.display());
                }
            }
            _ => {}
        }
    }
    archive.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wp_config_is_read_as_text() {
        let config = "<?php\n// $table_prefix = 'no_';\n$table_prefix  =  \"x9_\"; // here\n";
        assert_eq!(table_prefix(config).as_deref(), Some("x9_"));
        assert_eq!(table_prefix("<?php\n"), None);
        assert!(is_multisite("define( 'MULTISITE', true );"));
        assert!(!is_multisite("// define( 'MULTISITE', true );"));
        assert!(!is_multisite("define('MULTISITE', false);"));
    }
}
