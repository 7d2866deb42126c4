//! What runs inside WordPress: carried in the binary, written once for each version of it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use rust_embed::RustEmbed;
use sha2::Digest;
use sha2::Sha256;

#[derive(RustEmbed)]
#[folder = "../../php"]
#[include = "*.php"]
#[exclude = "tests/*"]
struct Files;

/// Name of the folder of this version: the first 16 hex digits of a hash over all of it.
fn version() -> String {
    let mut hash = Sha256::new();
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    for name in names {
        if let Some(file) = Files::get(&name) {
            // Lengths keep one file's end apart from the next one's name.
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name.as_bytes());
            hash.update((file.data.len() as u64).to_be_bytes());
            hash.update(&file.data);
        }
    }
    hex::encode(hash.finalize())[..16].to_owned()
}

/// Folder of this version below `php`, whether it is there or not.
pub(crate) fn dir(php: &Path) -> PathBuf {
    php.join(version())
}

/// One of the files, as text.
///
/// # Errors
/// When there is no such file in the binary.
pub(crate) fn text(name: &str) -> anyhow::Result<String> {
    let file = Files::get(name).with_context(|| format!("{name} is not in this binary"))?;
    String::from_utf8(file.data.into_owned()).with_context(|| format!("{name} is not text"))
}

/// Writes this version below `php` unless it is there, whole or not at all, readable by everyone
/// and writable by nobody but the owner; returns its folder.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn install(php: &Path) -> anyhow::Result<PathBuf> {
    let dir = dir(php);
    if dir.is_dir() {
        return Ok(dir);
    }
    let staging = php.join(format!(".{}.new", version()));
    match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("clear {}", staging.display()));
        }
        _ => {}
    }
    for name in Files::iter() {
        if let Some(file) = Files::get(&name) {
            let path = staging.join(&*name);
            if let Some(parent) = path.parent() {
                make_dir(parent)?;
            }
            fs::write(&path, &file.data)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o644)))
                .and_then(|()| fs::File::open(&path)?.sync_all())
                .with_context(|| format!("write {}", path.display()))?;
        }
    }
    fs::rename(&staging, &dir).with_context(|| format!("move to {}", dir.display()))?;
    fs::File::open(php)?.sync_all()?;
    Ok(dir)
}

fn make_dir(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wordpress_needs_is_carried_and_tests_are_not() {
        for name in ["wp-config.php", "config.php", "object-cache.php", "install.php"] {
            assert!(text(name).unwrap().starts_with("<?php"), "{name}");
        }
        assert!(Files::iter().all(|name| !name.starts_with("tests/")));
    }

    #[test]
    fn a_version_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = install(dir.path()).unwrap();
        assert_eq!(install(dir.path()).unwrap(), first);
        assert!(first.join("mu-plugins").is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
