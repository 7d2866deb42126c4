//! The names of members: what may stand where, and that no name leads out of a folder.

use std::fmt;

use crate::error::ArchiveError;

/// The first member.
pub const MANIFEST: &str = "aip.json";
/// The tenant's document.
pub const DOCUMENT: &str = "document.yaml";
/// The last member.
pub const CHECKSUMS: &str = "checksums.sha256";
/// Folder of the SQL chunks.
pub const DATABASE: &str = "database/";
/// Folder of the site's files.
pub const CONTENT: &str = "wp-content/";

/// Longest path, in bytes (`PATH_MAX` of Linux less the site's own folder).
const PATH_MAX: usize = 3_800;
/// Longest name within a path, in bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;
/// Deepest nesting; as the walk over a site's folders.
const DEPTH_MAX: usize = 190;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    /// `aip.json`.
    Manifest,
    /// `document.yaml`.
    Document,
    /// A chunk of SQL.
    Database,
    /// A regular file below `wp-content`.
    File,
    /// A folder below `wp-content`.
    Folder,
    /// `checksums.sha256`.
    Checksums,
}

/// A member as its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Its path, plain and without a slash at the end; not always UTF-8.
    pub path: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in seconds since 1970 UTC.
    pub mtime: u64,
}

impl Member {
    /// A member of this path, if there can be one.
    ///
    /// # Errors
    /// `Damaged` with the path and what is wrong with it.
    pub fn new(path: &[u8], folder: bool, size: u64, mtime: u64) -> Result<Self, ArchiveError> {
        let path = path.strip_suffix(b"/").filter(|_| folder).unwrap_or(path);
        let refuse = |why: &str| {
            let path = Shown(path);
            Err(ArchiveError::Damaged(format!("member `{path}` is not taken: {why}")))
        };
        if let Err(why) = check_path(path) {
            return refuse(why);
        }
        let kind = match (path, folder) {
            (b"aip.json", false) => MemberKind::Manifest,
            (b"document.yaml", false) => MemberKind::Document,
            (b"checksums.sha256", false) => MemberKind::Checksums,
            (_, false) if is_chunk(path) => MemberKind::Database,
            (_, false) if path.starts_with(CONTENT.as_bytes()) => MemberKind::File,
            (b"wp-content", true) => MemberKind::Folder,
            (_, true) if path.starts_with(CONTENT.as_bytes()) => MemberKind::Folder,
            _ => return refuse("an archive has nothing of this name"),
        };
        Ok(Self { kind, path: path.to_vec(), size, mtime })
    }

    /// The path below `wp-content`, of a file or folder there.
    pub fn below_content(&self) -> &[u8] {
        self.path.strip_prefix(CONTENT.as_bytes()).unwrap_or_default()
    }
}

fn is_chunk(path: &[u8]) -> bool {
    path.strip_prefix(DATABASE.as_bytes()).and_then(|name| name.strip_suffix(b".sql")).is_some_and(
        |number| (4..=8).contains(&number.len()) && number.iter().all(u8::is_ascii_digit),
    )
}

/// Whether a path is one below a folder and stays there.
pub(crate) fn check_path(path: &[u8]) -> Result<(), &'static str> {
    if path.len() > PATH_MAX {
        return Err("its path is too long");
    }
    if path.contains(&0) {
        return Err("its path has a NUL");
    }
    let mut depth = 0;
    for name in path.split(|byte| *byte == b'/') {
        depth += 1;
        match name {
            b"" => return Err("its path is absolute or has an empty part"),
            b"." | b".." => return Err("its path has a `.` or `..`"),
            name if name.len() > NAME_MAX => return Err("a name in its path is too long"),
            _ => {}
        }
    }
    if depth > DEPTH_MAX { Err("its path is too deep") } else { Ok(()) }
}

/// Bytes of a path, for people.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        for letter in text.chars().take(200) {
            if letter.is_control() {
                write!(f, "{}", letter.escape_default())?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_cannot_lead_out() {
        for bad in [
            "/etc/passwd",
            "wp-content/../x",
            "wp-content//x",
            "wp-content/./x",
            "wp-config.php",
            "database/1.sql",
            "database/0001.sql/x",
            "wp-content/a\0b",
            "",
            "wp-contents/x",
        ] {
            assert!(Member::new(bad.as_bytes(), false, 0, 0).is_err(), "{bad}");
        }
        let long = format!("wp-content/{}", "x".repeat(256));
        assert!(Member::new(long.as_bytes(), false, 0, 0).is_err());
    }

    #[test]
    fn members_are_known_by_their_place() {
        for (path, folder, kind) in [
            ("aip.json", false, MemberKind::Manifest),
            ("database/0000.sql", false, MemberKind::Database),
            ("wp-content/uploads/ä ö.png", false, MemberKind::File),
            ("wp-content/", true, MemberKind::Folder),
            ("wp-content/uploads/", true, MemberKind::Folder),
        ] {
            assert_eq!(Member::new(path.as_bytes(), folder, 0, 0).unwrap().kind, kind, "{path}");
        }
    }
}
