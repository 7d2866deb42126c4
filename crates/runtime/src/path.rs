//! A request's path, decoded once and cleaned, or refused. Pure.
//!
//! What comes out has no empty, `.` or `..` segment, no NUL and no backslash, so that it can be
//! put behind a root; it is bytes, as Linux's file names are.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The longest path in bytes, before decoding.
pub const MAX_PATH_BYTES: usize = 4096;

/// Why a path is refused; the answer is 400 (414 for the length).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// It holds a NUL, which would end a file name early.
    #[error("the path holds a NUL")]
    Nul,
    /// It holds a backslash, which some programs take for a slash.
    #[error("the path holds a backslash")]
    Backslash,
    /// It would leave its root. Browsers resolve `..` before they send.
    #[error("the path holds a `..` segment")]
    DotDot,
    /// It is longer than [`MAX_PATH_BYTES`].
    #[error("the path is too long")]
    TooLong,
}

/// A clean path beneath `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePath<'a> {
    clean: Cow<'a, [u8]>,
    directory: bool,
    encoded_slash: bool,
}

impl<'a> SitePath<'a> {
    /// Decodes and cleans the path of a URI. A `%` that begins no escape stands for itself.
    pub fn parse(raw: &'a str) -> Result<Self, PathError> {
        if raw.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let Some(beneath) = raw.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
        let encoded_slash = raw.as_bytes().windows(3).any(|it| it.eq_ignore_ascii_case(b"%2f"));
        let decoded: Cow<'a, [u8]> = percent_decode_str(beneath).into();
        for &byte in decoded.iter() {
            match byte {
                0 => return Err(PathError::Nul),
                b'\\' => return Err(PathError::Backslash),
                _ => {}
            }
        }
        let mut unclean = false;
        let mut segments = decoded.split(|&byte| byte == b'/').peekable();
        let mut directory = true;
        while let Some(segment) = segments.next() {
            directory = matches!(segment, b"" | b".");
            match segment {
                b".." => return Err(PathError::DotDot),
                b"." => unclean = true,
                b"" if segments.peek().is_some() => unclean = true,
                _ => {}
            }
        }
        let mut clean = if unclean { Cow::Owned(without_empty(&decoded)) } else { decoded };
        if clean.last() == Some(&b'/') {
            clean = match clean {
                Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..bytes.len() - 1]),
                Cow::Owned(mut bytes) => {
                    bytes.pop();
                    Cow::Owned(bytes)
                }
            };
        }
        Ok(Self { clean, directory, encoded_slash })
    }

    /// The path without slashes at its ends; empty for `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.clean
    }

    /// Whether it ended with a slash.
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// Whether a slash was written as `%2F`: a name with a slash in it, which no file has.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    /// The segments, none of them empty; none for `/`.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.clean.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty())
    }
}

/// Joins the segments again, without those that name the folder they are in.
fn without_empty(decoded: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(decoded.len());
    for segment in decoded.split(|&byte| byte == b'/') {
        if matches!(segment, b"" | b".") {
            continue;
        }
        if !clean.is_empty() {
            clean.push(b'/');
        }
        clean.extend_from_slice(segment);
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(raw: &str) -> String {
        String::from_utf8_lossy(SitePath::parse(raw).unwrap().as_bytes()).into_owned()
    }

    #[test]
    fn cleans() {
        assert_eq!(clean("/"), "");
        assert_eq!(clean("//"), "");
        assert_eq!(clean("/a/b"), "a/b");
        assert_eq!(clean("/a/b/"), "a/b");
        assert_eq!(clean("//a/.//b/./"), "a/b");
        assert_eq!(clean("/caf%C3%A9"), "café");
        assert_eq!(clean("/100%"), "100%");
        assert_eq!(clean("/a%zzb"), "a%zzb");
        assert_eq!(clean("/a%2Fb"), "a/b");
        assert_eq!(clean("/...."), "....");
    }

    #[test]
    fn decodes_once() {
        assert_eq!(clean("/%252e%252e/x"), "%2e%2e/x");
        assert_eq!(clean("/%2500"), "%00");
    }

    #[test]
    fn knows_directories() {
        for (raw, directory) in
            [("/", true), ("/a", false), ("/a/", true), ("/a/.", true), ("/a//", true)]
        {
            assert_eq!(SitePath::parse(raw).unwrap().is_directory(), directory, "{raw}");
        }
    }

    #[test]
    fn refuses() {
        for (raw, error) in [
            ("/a/../b", PathError::DotDot),
            ("/..", PathError::DotDot),
            ("/%2e%2e/b", PathError::DotDot),
            ("/a/.%2E/b", PathError::DotDot),
            ("/a%2f..%2fb", PathError::DotDot),
            ("/a%00.php", PathError::Nul),
            ("/a\\b", PathError::Backslash),
            ("/a%5c..%5cb", PathError::Backslash),
            ("a", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
        ] {
            assert_eq!(SitePath::parse(raw), Err(error), "{raw}");
        }
        assert_eq!(SitePath::parse(&"/a".repeat(3000)), Err(PathError::TooLong));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_clean(raw in "(/|%2[fF]|%2[eE]|\\.|a|%00|%5c|%|%25|\\\\|é){0,24}") {
            if let Ok(path) = SitePath::parse(&raw) {
                let bytes = path.as_bytes();
                prop_assert!(!bytes.contains(&0) && !bytes.contains(&b'\\'));
                prop_assert!(!bytes.starts_with(b"/") && !bytes.ends_with(b"/"));
                for segment in path.segments() {
                    prop_assert!(!matches!(segment, b"" | b"." | b".."));
                }
                let again = path.segments().collect::<Vec<_>>().join(&b'/');
                prop_assert_eq!(bytes, again);
            }
        }
    }
}
