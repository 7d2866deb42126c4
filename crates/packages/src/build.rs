//! Makes archives for tests: of plugins and themes, and hostile ones.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::CompressionMethod;
use rawzip::ZipArchiveWriter;
use rawzip::ZipFileBuilder;
use rawzip::path::EntryPath;
use rawzip::time::UtcDateTime;

/// An archive that is being made. Whatever it is given it takes, however hostile.
#[derive(Debug)]
pub struct ZipBuilder {
    zip: ZipArchiveWriter<Vec<u8>>,
}

impl Default for ZipBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Tests have nobody to hand an error to.
fn sure<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("make a zip in memory: {error:?}"),
    }
}

impl ZipBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self { zip: ZipArchiveWriter::new(Vec::new()) }
    }

    /// A plugin of this name and version, whose main file goes on with `code`.
    pub fn plugin(name: &str, version: &str, code: &str) -> Self {
        let main = format!(
            "<?php\n/**\n * Plugin Name: The {name}\n * Version: {version}\n * Requires at least: \
             6.0\n * Requires PHP: 8.0\n */\n{code}\n"
        );
        Self::new()
            .file(&format!("{name}/{name}.php"), main.as_bytes())
            .file(&format!("{name}/readme.txt"), b"=== X ===\nTested up to: 7.1\n")
    }

    /// A classic theme of this name and version, whose pages come out as `page`.
    pub fn theme(name: &str, version: &str, page: &str) -> Self {
        let style = format!("/*\nTheme Name: The {name}\nVersion: {version}\n*/\n");
        Self::new()
            .file(&format!("{name}/style.css"), style.as_bytes())
            .file(&format!("{name}/index.php"), page.as_bytes())
    }

    /// Adds a file, deflated.
    #[must_use]
    pub fn file(self, path: &str, contents: &[u8]) -> Self {
        self.entry(path.as_bytes(), contents, 0o100_644, false)
    }

    /// Adds a file that was changed so many seconds after 1970 UTC.
    #[must_use]
    pub fn file_of(self, path: &str, contents: &[u8], mtime: i64) -> Self {
        self.any(path.as_bytes(), contents, |entry| {
            entry.unix_permissions(0o100_644).last_modified(UtcDateTime::from_unix(mtime))
        })
    }

    /// Adds an entry of any path and mode.
    #[must_use]
    pub fn entry(self, path: &[u8], contents: &[u8], mode: u32, encrypted: bool) -> Self {
        self.any(path, contents, |entry| entry.unix_permissions(mode).encrypted(encrypted))
    }

    fn any(
        mut self,
        path: &[u8],
        contents: &[u8],
        with: impl for<'a, 'b> FnOnce(
            ZipFileBuilder<'a, 'b, Vec<u8>>,
        ) -> ZipFileBuilder<'a, 'b, Vec<u8>>,
    ) -> Self {
        let entry = self.zip.new_file(EntryPath::verbatim(path.to_vec()));
        let entry = entry.compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = sure(with(entry).start());
        let encoder = DeflateEncoder::new(&mut entry, Compression::default());
        let mut writer = config.wrap(encoder);
        sure(writer.write_all(contents));
        let (encoder, descriptor) = sure(writer.finish());
        sure(encoder.finish());
        sure(entry.finish(descriptor));
        self
    }

    /// Adds a folder.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        sure(self.zip.new_dir(EntryPath::verbatim(path.as_bytes().to_vec())).create());
        self
    }

    /// The archive's bytes.
    pub fn bytes(self) -> Vec<u8> {
        sure(self.zip.finish())
    }
}
