//! A version of WordPress or PHP: numbers with dots, compared as numbers.
//!
//! Absent: release candidates and betas. They do not parse, so they are never
//! taken for a stable version.

use std::fmt;
use std::str::FromStr;

/// A stable version such as `6.8.3` or `7.1` (WordPress writes no `.0`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

/// The text is not one to four numbers with dots between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version such as 6.8 or 6.8.3")]
pub struct ParseVersionError(String);

impl Version {
    /// Whether this version belongs to `branch`: `6.8.3` to `6.8` and to `6`,
    /// and every version to itself.
    pub fn is_of(&self, branch: &Version) -> bool {
        self.0.starts_with(&branch.0)
    }

    /// The version inside of a longer one that a distribution made from it:
    /// `8.2.35-1~deb12u1` gives `8.2.35`, `1:6.8.3+dfsg1-1` gives `6.8.3`.
    /// `None` for a pre-release (`7.2~rc1`, `7.2-RC1`).
    pub fn from_packaged(text: &str) -> Option<Version> {
        let text = text.split_once(':').map_or(text, |(_epoch, rest)| rest);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let rest = rest.to_ascii_lowercase();
        let tail = rest.trim_start_matches(['~', '-', '+', '.']);
        if ["alpha", "beta", "rc", "dev"].iter().any(|word| tail.starts_with(word)) {
            return None;
        }
        number.parse().ok()
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseVersionError(text.to_owned());
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if plain { part.parse::<u32>().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let parts = text.split('.').map(number).collect::<Result<Vec<_>, _>>()?;
        if parts.len() > 4 { Err(wrong()) } else { Ok(Self(parts)) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn compares_as_numbers_not_as_text() {
        assert!(version("6.10") > version("6.9.4"));
        assert!(version("7.1.1") > version("7.1"));
        assert_eq!(version("6.8.3").to_string(), "6.8.3");
    }

    #[test]
    fn belongs_to_a_branch_by_whole_numbers() {
        assert!(version("6.8.3").is_of(&version("6.8")));
        assert!(version("6.8").is_of(&version("6.8")));
        assert!(!version("6.10").is_of(&version("6.1")));
        assert!(!version("6.8").is_of(&version("6.8.3")));
    }

    #[test]
    fn refuses_what_could_leave_a_folder_or_is_no_release() {
        for text in ["", ".", "..", "6.", "6..8", "+6.8", "6.8/..", "7.2-RC1", "1.2.3.4.5"] {
            assert!(text.parse::<Version>().is_err(), "{text} parsed");
        }
    }

    #[test]
    fn takes_the_upstream_part_of_a_package_version() {
        let upstream = |text| Version::from_packaged(text).map(|v| v.to_string());
        assert_eq!(upstream("7.1.4+dfsg1-1").as_deref(), Some("7.1.4"));
        assert_eq!(upstream("6.1.9+dfsg1-0+deb12u1").as_deref(), Some("6.1.9"));
        assert_eq!(upstream("1:8.2.35-1~deb12u1").as_deref(), Some("8.2.35"));
        assert_eq!(upstream("7.2~rc1+dfsg1-1"), None);
        assert_eq!(upstream("7.2-RC1"), None);
    }
}
