//! Makes plain trees: follows links inside of a root and writes what they lead
//! to as ordinary files, counted and hashed on the way.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::CoreError;

/// As many links may follow each other as Linux allows (`ELOOP`).
const MAX_LINKS: usize = 40;
/// Deeper than any WordPress tree; a folder link to its own parent ends here.
const MAX_DEPTH: usize = 32;
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// A file of the machine that stands in for a path which no package contains,
/// because it is made at installation.
#[derive(Debug, Clone)]
pub(crate) struct Substitute {
    /// The path inside of the root, without leading slash.
    pub(crate) path: PathBuf,
    /// The file to take instead.
    pub(crate) file: PathBuf,
}

/// What [`flatten`] copies and what it leaves out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules<'a> {
    /// Names left out of the top folder.
    pub(crate) skip: &'a [&'a str],
    /// Files that come from outside of the root.
    pub(crate) substitutes: Vec<Substitute>,
    /// Give files of the root a second name where that can be done instead of
    /// writing their contents again. Right only when nobody changes the
    /// originals afterwards.
    pub(crate) hard_links: bool,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// SHA-256 over names, sizes and contents in the order of names, hex.
    pub(crate) sha256: String,
}

/// A link whose target is not there (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dangling {
    /// The link, relative to the root.
    pub(crate) link: PathBuf,
    /// What is missing, relative to the root.
    pub(crate) target: PathBuf,
}

enum Resolved {
    At(PathBuf),
    Missing(PathBuf),
}

/// The links beneath `root/top` that lead to nothing inside of `root`, but for
/// those that `rules` leave out or replace.
pub(crate) fn dangling(
    root: &Path,
    top: &Path,
    rules: &Rules<'_>,
) -> Result<Vec<Dangling>, CoreError> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in names(&root.join(&folder))? {
            if folder == top && rules.skips(&name) {
                continue;
            }
            let path = folder.join(&name);
            let full = root.join(&path);
            let kind =
                fs::symlink_metadata(&full).map_err(CoreError::io("read", &full))?.file_type();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink()
                && let Resolved::Missing(target) = resolve(root, &path)?
                && rules.substitute(&target).is_none()
            {
                found.push(Dangling { link: path, target });
            }
        }
    }
    Ok(found)
}

/// Copies `root/top` to `to` (which must not exist) as plain files of mode 0644
/// in folders of mode 0755, following links as if `root` were the root of the
/// file system. Time stamps of files are kept. Nothing is synced.
pub(crate) fn flatten(
    root: &Path,
    top: &Path,
    to: &Path,
    rules: &Rules<'_>,
) -> Result<Summary, CoreError> {
    let mut copy = Copy { root, rules, to, hash: Sha256::new(), files: 0, bytes: 0 };
    copy.folder(top, Path::new(""), 0)?;
    Ok(Summary { files: copy.files, bytes: copy.bytes, sha256: hex::encode(copy.hash.finalize()) })
}

/// Writes everything of the file system of `path` to the disk. One call for
/// a tree of thousands of files, where syncing each would take seconds.
pub(crate) fn sync(path: &Path) -> Result<(), CoreError> {
    let folder = fs::File::open(path).map_err(CoreError::io("open", path))?;
    rustix::fs::syncfs(&folder).map_err(|errno| CoreError::io("sync", path)(errno.into()))
}

impl Rules<'_> {
    fn skips(&self, name: &OsString) -> bool {
        self.skip.iter().any(|skip| name == skip)
    }

    fn substitute(&self, path: &Path) -> Option<&Path> {
        self.substitutes.iter().find(|s| s.path == path).map(|s| s.file.as_path())
    }
}

struct Copy<'a> {
    root: &'a Path,
    rules: &'a Rules<'a>,
    to: &'a Path,
    hash: Sha256,
    files: u64,
    bytes: u64,
}

impl Copy<'_> {
    /// Copies the real folder `from` (relative to the root) to `at` (relative
    /// to the destination).
    fn folder(&mut self, from: &Path, at: &Path, depth: usize) -> Result<(), CoreError> {
        let target = self.to.join(at);
        if depth > MAX_DEPTH {
            return Err(CoreError::malformed(
                at.display().to_string(),
                "folders lie too deep (a link in a circle?)",
            ));
        }
        fs::create_dir(&target).map_err(CoreError::io("create folder", &target))?;
        set_mode(&target, FOLDER_MODE)?;
        for name in names(&self.root.join(from))? {
            if depth == 0 && self.rules.skips(&name) {
                continue;
            }
            let link = from.join(&name);
            let source = match resolve(self.root, &link)? {
                Resolved::At(path) => self.root.join(path),
                Resolved::Missing(target) => match self.rules.substitute(&target) {
                    Some(file) => file.to_owned(),
                    None => {
                        let target = target.display().to_string();
                        return Err(CoreError::DanglingLink { link, target });
                    }
                },
            };
            let metadata = fs::metadata(&source).map_err(CoreError::io("read", &source))?;
            if metadata.is_dir() {
                let inside = source.strip_prefix(self.root).unwrap_or(&link).to_owned();
                self.folder(&inside, &at.join(&name), depth + 1)?;
            } else if metadata.is_file() {
                self.file(&source, &metadata, &at.join(&name))?;
            } else {
                return Err(CoreError::malformed(
                    link.display().to_string(),
                    "neither file nor folder",
                ));
            }
        }
        Ok(())
    }

    fn file(&mut self, source: &Path, metadata: &fs::Metadata, at: &Path) -> Result<(), CoreError> {
        let contents = fs::read(source).map_err(CoreError::io("read", source))?;
        let target = self.to.join(at);
        // A substitute is the machine's own file and must stay as it is.
        let ours =
            source.starts_with(self.root) && metadata.uid() == rustix::process::geteuid().as_raw();
        if !(self.rules.hard_links && ours && link(source, metadata, &target)?) {
            write(&contents, metadata, &target)?;
        }
        self.files += 1;
        self.bytes += contents.len() as u64;
        self.hash.update(at.as_os_str().as_encoded_bytes());
        self.hash.update([0]);
        self.hash.update((contents.len() as u64).to_le_bytes());
        self.hash.update(&contents);
        Ok(())
    }
}

/// Gives `source` the second name `target` and the mode of a core's file.
/// `false` when the file system does not do that here.
fn link(source: &Path, metadata: &fs::Metadata, target: &Path) -> Result<bool, CoreError> {
    if fs::hard_link(source, target).is_err() {
        return Ok(false);
    }
    if metadata.mode() & 0o7777 != FILE_MODE {
        set_mode(target, FILE_MODE)?;
    }
    Ok(true)
}

fn write(contents: &[u8], metadata: &fs::Metadata, target: &Path) -> Result<(), CoreError> {
    let failed = |action| CoreError::io(action, target);
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(FILE_MODE)
        .open(target)
        .map_err(failed("create"))?;
    file.write_all(contents).map_err(failed("write"))?;
    // The umask may have narrowed the mode above.
    set_mode(target, FILE_MODE)?;
    match metadata.modified() {
        Ok(modified) => file.set_modified(modified).map_err(failed("set the time of")),
        Err(_) => Ok(()),
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), CoreError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(CoreError::io("set the mode of", path))
}

/// Follows every link of `path` as if `root` were `/`.
fn resolve(root: &Path, path: &Path) -> Result<Resolved, CoreError> {
    let mut done = PathBuf::new();
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            done.pop();
            continue;
        }
        let next = done.join(&part);
        let full = root.join(&next);
        let kind = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata.file_type(),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Resolved::Missing(next.join(rest.into_iter().collect::<PathBuf>())));
            }
            Err(error) => return Err(CoreError::io("read", &full)(error)),
        };
        if !kind.is_symlink() {
            done = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(CoreError::malformed(path.display().to_string(), "a link in a circle"));
        }
        let target = fs::read_link(&full).map_err(CoreError::io("read link", &full))?;
        if target.is_absolute() {
            done = PathBuf::new();
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(part);
        }
    }
    Ok(Resolved::At(done))
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn names(folder: &Path) -> Result<Vec<OsString>, CoreError> {
    let entries = fs::read_dir(folder).map_err(CoreError::io("list", folder))?;
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(CoreError::io("list", folder))?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
