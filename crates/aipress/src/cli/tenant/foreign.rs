//! A WordPress from anywhere: its dump and files become an archive on this machine. Read as text
//! and bytes; nothing of it runs.

mod config;
mod php;
mod tree;

use std::fs::File;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::path::Path;

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
use time::format_description::well_known::Rfc3339;

use crate::cli::tenant::foreign::php::Asked;
use crate::cli::tenant::foreign::tree::Entry;
use crate::cli::tenant::foreign::tree::Kind;
use crate::cli::tenant::foreign::tree::Tree;

/// A chunk of SQL ends after the statement that makes it this long, in bytes.
const CHUNK: usize = 7 * 1024 * 1024;
/// Threads that compress.
const THREADS: usize = 2;
const PIECE: usize = 512 * 1024;
const CONFIG: &str = "wp-config.php";
/// Files beside `wp-content` that hosts heed and the platform does not.
const HOST_FILES: &[(&str, &str)] = &[
    (".htaccess", "rules of a web server"),
    (".user.ini", "settings of PHP: set php.settings in the site's document instead"),
    ("php.ini", "settings of PHP: set php.settings in the site's document instead"),
];

/// What became of a foreign site.
pub(super) struct Made {
    pub(super) report: Report,
    /// `None` when it was only looked at, or can't be imported.
    pub(super) archive: Option<File>,
}

/// Where a site's parts are in its tree.
struct Place {
    /// Path of `wp-content`, with a slash at the end; empty when it is the tree itself.
    content: Vec<u8>,
    /// Path of the web root, likewise, where it was given.
    root: Option<Vec<u8>>,
}

/// A site as its owner has it.
pub(super) struct Source<'a> {
    pub(super) dump: &'a Path,
    pub(super) files: &'a Path,
    /// Prefix of its tables, where somebody said it.
    pub(super) prefix: Option<&'a str>,
}

/// Looks at a site, and makes an archive of it unless it is only looked at. `php` is that of the
/// platform, where it is known.
pub(super) fn archive(source: &Source<'_>, php: Option<&str>, check: bool) -> Result<Made> {
    let Source { dump, files, prefix } = *source;
    let tree = Tree::open(files)?;
    let entries = tree.entries()?;
    let place = find(&entries, files)?;
    let beside = |name: &str| {
        let root = place.root.as_ref();
        let inside =
            root.and_then(|root| tree.text(&entries, &[root.as_slice(), name.as_bytes()].concat()));
        // Around wp-content; and WordPress itself looks for its configuration one folder higher.
        let above = root.is_none() || name == CONFIG;
        inside.or_else(|| above.then(|| tree.text_above(name)).flatten())
    };
    let config = beside(CONFIG);
    let told =
        prefix.map(str::to_owned).or_else(|| config.as_deref().and_then(config::table_prefix));
    let version =
        beside("wp-includes/version.php").and_then(|text| config::assigned(&text, "$wp_version"));
    let mut look = Inspector::new(true);
    if config.as_deref().is_some_and(config::is_multisite) {
        look.add(Finding::new(
            Level::Error,
            "multisite",
            "wp-config.php says MULTISITE: only single sites are taken; export the wanted site of \
             the network by itself first",
        ));
    }
    config.as_deref().map(config::findings).unwrap_or_default().into_iter().for_each(|found| {
        look.add(found);
    });
    for (name, what) in HOST_FILES {
        if beside(name).is_some_and(|text| !text.trim().is_empty()) {
            let message = format!("{name} is not taken ({what})");
            look.add(Finding::new(Level::Note, "host_file", message));
        }
    }
    let mut splitter = Splitter::new(open(dump)?);
    while let Some(statement) = splitter.next_statement()? {
        look.statement(&statement);
    }
    let content: Vec<(&[u8], &Entry)> = entries
        .iter()
        .filter_map(|entry| Some((entry.path.strip_prefix(place.content.as_slice())?, entry)))
        .filter(|(below, _)| !below.is_empty() && !is_cache(below))
        .collect();
    let mut asked = Asked::default();
    for (below, entry) in &content {
        look_at(&mut look, &mut asked, &tree, below, entry);
    }
    asked.findings(php).into_iter().for_each(|found| look.add(found));
    let mut report = look.finish(told.as_deref());
    report.wordpress_version.clone_from(&version);
    if check || !report.is_fine() {
        return Ok(Made { report, archive: None });
    }
    let archive = write(dump, &tree, &content, &report)?;
    Ok(Made { report, archive: Some(archive) })
}

/// Whether it is in a folder of caches.
fn is_cache(below: &[u8]) -> bool {
    let first = below.split(|byte| *byte == b'/').next().unwrap_or_default();
    CACHES.iter().any(|cache| cache.as_bytes() == first)
}

/// Looks at one thing in `wp-content`.
fn look_at(look: &mut Inspector, asked: &mut Asked, tree: &Tree, below: &[u8], entry: &Entry) {
    let parts: Vec<&[u8]> = below.split(|byte| *byte == b'/').collect();
    match entry.kind {
        Kind::File(size) => look.file(below, size),
        Kind::Folder => return,
        Kind::Odd => {
            let message = format!("wp-content/{} is left out: no regular file", shown(below));
            return look.add(Finding::new(Level::Note, "left_out", message));
        }
    }
    let text = || tree.text(std::slice::from_ref(entry), &entry.path).unwrap_or_default();
    match parts.as_slice() {
        [kind @ (b"plugins" | b"themes"), name, b"composer.json"] => {
            let (what, name) = (if *kind == b"themes" { "theme" } else { "plugin" }, shown(name));
            for extension in config::missing_extensions(&text()) {
                let message =
                    format!("{what} `{name}` asks for PHP's extension {extension}, not here");
                look.add(Finding::new(Level::Warning, "missing_extension", message));
            }
        }
        [b"themes", name, b"style.css"] => asked.theme(name, &text()),
        [b"plugins", name] if name.ends_with(b".php") => asked.plugin(name, &text()),
        [b"plugins", name, file] if file.ends_with(b".php") => {
            let text = text();
            asked.plugin(name, &text);
            if let Some(encoder) = config::encoder(&text) {
                let message = format!(
                    "plugin `{}` is encoded by {encoder}, whose loader is not here",
                    shown(name)
                );
                look.add(Finding::new(Level::Warning, "encoded", message));
            }
        }
        _ => {}
    }
}

/// The web root or `wp-content` itself, at the top or below one folder, as archives have it.
fn find(entries: &[Entry], files: &Path) -> Result<Place> {
    let first =
        |path: &[u8]| entries.get(entries.partition_point(|entry| entry.path.as_slice() < path));
    let is_folder = |path: &[u8]| {
        let inside = [path, b"/"].concat();
        first(&inside).is_some_and(|entry| entry.path.starts_with(&inside))
            || first(path).is_some_and(|entry| entry.path == path && entry.kind == Kind::Folder)
    };
    let mut bases = vec![Vec::new()];
    for entry in entries {
        let first = entry.path.split(|byte| *byte == b'/').next().unwrap_or_default();
        let base = [first, b"/"].concat();
        if bases.last() != Some(&base) && bases.len() < 1_000 {
            bases.push(base);
        }
    }
    for base in bases {
        let below = |name: &str| [base.as_slice(), name.as_bytes()].concat();
        if is_folder(&below("wp-content")) {
            return Ok(Place { content: below("wp-content/"), root: Some(base) });
        }
        if ["plugins", "themes", "uploads"].iter().any(|name| is_folder(&below(name))) {
            return Ok(Place { content: base, root: None });
        }
    }
    bail!(
        "--files {}: neither a web root (with wp-content in it) nor a wp-content folder",
        files.display()
    );
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

fn write(dump: &Path, tree: &Tree, content: &[(&[u8], &Entry)], report: &Report) -> Result<File> {
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
    // Without a name: whatever ends this process, nothing is left.
    let file = tempfile::tempfile().context("a temporary file for the archive")?;
    let mut archive = ArchiveWriter::new(file, THREADS, &manifest, 0)?;
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
    for (below, entry) in content {
        let is_drop_in = DROP_INS.iter().any(|name| name.as_bytes() == *below);
        match entry.kind {
            Kind::Folder => archive.folder(below, entry.mtime)?,
            Kind::File(size) if !is_drop_in => {
                archive.file(below, size, entry.mtime)?;
                tree.read(entry, &mut |data| Ok(archive.data(data)?))?;
                if archive.end_file()? != Fit::Exact {
                    bail!("wp-content/{} changed while it was read: try again", shown(below));
                }
            }
            _ => {}
        }
    }
    let mut file = archive.finish()?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests;
