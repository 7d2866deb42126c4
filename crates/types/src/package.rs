//! Plugins and themes: kinds, names, versions and where they come from; which of them fight the
//! platform. Pure.

mod advice;
mod version;

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::spec::FieldError;
use crate::spec::PackageSpec;

pub use advice::Advice;
pub use advice::advice;
pub use version::compare_versions;

/// Plugins, or themes, that a spec may name.
pub const PACKAGES_MAX: usize = 100;
/// Longest name, in bytes.
pub const NAME_MAX: usize = 100;
/// Longest version, in bytes.
pub const VERSION_MAX: usize = 64;
/// Longest source, in bytes.
pub const SOURCE_MAX: usize = 2_048;

/// What a package is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// A plugin.
    Plugin,
    /// A theme.
    Theme,
}

impl PackageKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plugin, Self::Theme];

    /// The word on the wire, in the registry and in wp-cli's commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Theme => "theme",
        }
    }

    /// The field of a spec, and the folder below `wp-content`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Plugin => "plugins",
            Self::Theme => "themes",
        }
    }
}

impl fmt::Display for PackageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PackageKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is neither plugin nor theme"))
    }
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSource {
    /// The platform's mirror, then the directory of WordPress.org.
    Any,
    /// The platform's mirror only.
    Mirror,
    /// The directory of WordPress.org.
    Directory,
    /// The archive in the mirror with this SHA-256 (64 lower-case hex digits).
    Sha256(String),
    /// An address, and the SHA-256 of what must be there.
    Url {
        /// The address, `https://…`, without its fragment.
        url: String,
        /// 64 lower-case hex digits.
        sha256: String,
    },
}

impl PackageSource {
    /// What the `source` of a spec means.
    ///
    /// # Errors
    /// What would be right, for people.
    pub fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::Any) };
        if text.len() > SOURCE_MAX {
            return Err(format!("a source has at most {SOURCE_MAX} characters"));
        }
        match text {
            "mirror" => return Ok(Self::Mirror),
            "wordpress.org" => return Ok(Self::Directory),
            _ => {}
        }
        if let Some(digits) = text.strip_prefix("sha256:") {
            return sha256(digits).map(Self::Sha256);
        }
        if let Some(rest) = text.strip_prefix("https://") {
            let Some((address, digits)) = rest.split_once("#sha256=") else {
                return Err("an address needs the checksum of what is there: \
                            https://…/x.zip#sha256=<64 hex digits>"
                    .to_owned());
            };
            let host = address.split(['/', '?']).next().unwrap_or_default();
            if host.is_empty()
                || host.contains('@')
                || address.contains('#')
                || !address.bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(format!("`{text}` is no address such as https://example.org/x.zip"));
            }
            return Ok(Self::Url { url: format!("https://{address}"), sha256: sha256(digits)? });
        }
        Err(format!(
            "`{text}` is no source: mirror, wordpress.org, sha256:<64 hex digits> or \
             https://…#sha256=<64 hex digits>"
        ))
    }

    /// The one archive that it means, where it means one.
    pub fn pinned(&self) -> Option<&str> {
        match self {
            Self::Sha256(sha256) | Self::Url { sha256, .. } => Some(sha256),
            Self::Any | Self::Mirror | Self::Directory => None,
        }
    }
}

/// 64 hex digits, in lower case.
fn sha256(digits: &str) -> Result<String, String> {
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(digits.to_ascii_lowercase());
    }
    Err(format!("`{digits}` is no SHA-256: 64 hex digits"))
}

/// Whether `name` may be the folder of a plugin or theme. As in the directory of WordPress.org,
/// and a little wider: people's own have capitals, `_` and `.`.
pub fn is_package_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !name.starts_with(['.', '-'])
        && !name.ends_with('.')
        && name != "index.php"
}

/// Whether `version` is one that a package may have: what `version_compare()` of PHP understands.
pub fn is_package_version(version: &str) -> bool {
    (1..=VERSION_MAX).contains(&version.len())
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+~".contains(&b))
        && version.bytes().any(|b| b.is_ascii_digit())
}

/// Every complaint about the plugins or themes of a spec, with pointers below `base` (such as
/// `/spec/plugins`).
pub fn check(kind: PackageKind, packages: &[PackageSpec], base: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let plural = kind.plural();
    if packages.len() > PACKAGES_MAX {
        let detail = format!("{} {plural} are too many: at most {PACKAGES_MAX}", packages.len());
        return vec![FieldError::new(base, detail)];
    }
    for (index, package) in packages.iter().enumerate() {
        let mut complain = |field: &str, detail: String| {
            errors.push(FieldError::new(format!("{base}/{index}/{field}"), detail));
        };
        let name = &package.name;
        if !is_package_name(name) {
            let detail = format!(
                "`{name}` is no name of a {kind}: that of its folder, 1 to {NAME_MAX} letters, \
                 digits, `-`, `_` and `.`, such as akismet"
            );
            complain("name", detail);
        }
        if packages[..index].iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
            complain("name", format!("`{name}` is in the list twice"));
        }
        if let Some(version) = &package.version
            && !is_package_version(version)
        {
            complain("version", format!("`{version}` is no version such as 5.3.1"));
        }
        if let Err(detail) = PackageSource::parse(package.source.as_deref()) {
            complain("source", detail);
        }
        if kind == PackageKind::Plugin
            && let Some(refused) = advice(kind, name).filter(|advice| advice.unsupported)
        {
            complain("name", format!("{refused}"));
        }
    }
    if kind == PackageKind::Theme {
        let active = packages.iter().filter(|theme| theme.active == Some(true));
        if let Some(second) = active.clone().nth(1)
            && let Some(first) = active.clone().next()
        {
            let index = packages.iter().position(|theme| theme == second).unwrap_or(0);
            errors.push(FieldError::new(
                format!("{base}/{index}/active"),
                format!("a site has one active theme, and `{}` is it already", first.name),
            ));
        }
    }
    errors
}

#[cfg(test)]
mod tests;
