//! Paths of entries: which are taken, and which collide.

use std::collections::HashMap;

use crate::refusal::Refusal;

/// Longest path, in bytes; WordPress's own deepest is some 150.
const PATH_MAX: usize = 1_024;
/// Longest name of a file or folder, in bytes (`NAME_MAX` of Linux).
const NAME_MAX: usize = 255;
/// Deepest nesting.
const DEPTH_MAX: usize = 32;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A folder that an entry or a path implies.
    Folder,
    /// A folder that has an entry of its own.
    Named,
    File,
}

/// The paths of one archive so far.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// By the path in lower case: two that differ only in case are one on many systems.
    taken: HashMap<String, (String, Place)>,
}

/// A path of an archive as it stands, if it leads nowhere but below.
pub(crate) fn checked(raw: &[u8]) -> Result<&str, Refusal> {
    let text =
        std::str::from_utf8(raw).map_err(|_| Refusal::entry(raw, "its name is not utf-8"))?;
    let plain = text.strip_suffix('/').unwrap_or(text);
    let refuse = |why| Err(Refusal::entry(raw, why));
    if plain.len() > PATH_MAX {
        return refuse("its path is longer than 1,024 bytes");
    }
    if text.contains('\\') {
        return refuse("a backslash in a path");
    }
    if text.chars().any(char::is_control) {
        return refuse("a control character in a path");
    }
    if text.starts_with('/') || text.as_bytes().get(1) == Some(&b':') {
        return refuse("an absolute path");
    }
    if plain.split('/').count() > DEPTH_MAX {
        return refuse("it is nested deeper than 32 folders");
    }
    for part in plain.split('/') {
        match part {
            "" => return refuse("an empty name in a path"),
            "." | ".." => return refuse("a path that leads elsewhere"),
            part if part.len() > NAME_MAX => return refuse("a name longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(plain)
}

impl Paths {
    /// Takes a path into account; refuses one that is there, or would be on a system that does not
    /// tell case apart.
    pub(crate) fn add(&mut self, path: &str, is_dir: bool) -> Result<(), Refusal> {
        for (end, _) in path.match_indices('/') {
            self.put(&path[..end], Place::Folder)?;
        }
        self.put(path, if is_dir { Place::Named } else { Place::File })
    }

    fn put(&mut self, path: &str, place: Place) -> Result<(), Refusal> {
        let key = path.to_lowercase();
        let Some((held, stands)) = self.taken.get_mut(&key) else {
            self.taken.insert(key, (path.to_owned(), place));
            return Ok(());
        };
        if held != path {
            return Err(Refusal::entry(path, "it differs from another entry in case only"));
        }
        match (*stands, place) {
            (Place::File, Place::Folder | Place::Named) | (_, Place::File) => {
                Err(Refusal::entry(path, "it is there twice"))
            }
            (Place::Named, Place::Named) => Err(Refusal::entry(path, "it is there twice")),
            (Place::Folder, Place::Named) => {
                *stands = Place::Named;
                Ok(())
            }
            (Place::Folder | Place::Named, Place::Folder) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let deep = "a/".repeat(40);
        for bad in [
            "/a", "../a", "a/../b", "a/..", ".", "a//b", "a\\b", "C:/a", "a\nb", "a\0", "", "/",
            &deep,
        ] {
            assert!(checked(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(checked(b"a/\xff").is_err());
        assert_eq!(checked(b"a/b.php").unwrap(), "a/b.php");
        assert_eq!(checked(b"a/b/").unwrap(), "a/b");
        assert_eq!(checked("a/ü…x".as_bytes()).unwrap(), "a/ü…x");
    }

    #[test]
    fn what_collides_is_refused() {
        for (first, second) in [
            (("a/x", false), ("a/x", false)),
            (("a/x", false), ("a/X", false)),
            (("a/x", false), ("A/y", false)),
            (("a/x", false), ("a/x/y", false)),
            (("a/x/y", false), ("a/x", false)),
            (("a", true), ("a", true)),
        ] {
            let mut paths = Paths::default();
            paths.add(first.0, first.1).unwrap();
            assert!(paths.add(second.0, second.1).is_err(), "{first:?} {second:?}");
        }
        let mut paths = Paths::default();
        for (path, is_dir) in [("a/b/c", false), ("a", true), ("a/b", true), ("a/d", false)] {
            paths.add(path, is_dir).unwrap();
        }
    }
}
