//! The directory of WordPress.org: where it says an archive is. Its answers are a stranger's: bounded,
//! and only what is understood of them is used.

use std::collections::BTreeMap;

use aipress_kit::http::outgoing;
use aipress_kit::http::outgoing::Bounds;
use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::OutgoingError;
use aipress_types::PackageKind;
use aipress_types::package::is_package_version;
use serde::Deserialize;

use crate::PackagesConfig;

/// What its answer may cost: that of a plugin with 1,000 versions has 300 KB.
const BOUNDS: Bounds = Bounds {
    connect: std::time::Duration::from_secs(5),
    total: std::time::Duration::from_secs(15),
    body_max: 8 * 1024 * 1024,
    redirects: 2,
};

/// Origin of what comes from here, in the registry and on the wire.
pub const ORIGIN: &str = "wordpress.org";

/// The directory.
#[derive(Debug)]
pub struct Directory {
    base: String,
    http: Outgoing,
}

/// Why the directory did not say where an archive is.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It has no such package or version.
    #[error("{0}")]
    Unknown(String),
    /// It can't be asked.
    #[error("the directory of WordPress.org can't be reached: {0}")]
    Unreachable(#[from] OutgoingError),
    /// It answered something else.
    #[error("the directory of WordPress.org answered {0}")]
    Strange(String),
}

impl DirectoryError {
    /// Whether the very same may work later.
    pub fn may_work_later(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// What a person can do about it, to be put behind it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "",
            Self::Unreachable(_) | Self::Strange(_) => {
                "; an archive can be uploaded with `aipress package add FILE`"
            }
        }
    }
}

/// An archive that the directory has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its version.
    pub version: String,
    /// Where it is.
    pub url: String,
}

#[derive(Deserialize)]
struct Information {
    version: Option<String>,
    download_link: Option<String>,
    /// An empty PHP array is `[]`, one with keys an object.
    #[serde(default)]
    versions: serde_json::Value,
}

impl Directory {
    pub(crate) fn new(config: &PackagesConfig) -> Self {
        let base = config.directory.trim_end_matches('/').to_owned();
        Self { base, http: config.inside.clone() }
    }

    /// What calls the address of an archive: one on the directory's own host is the operator's
    /// choice as the directory is; any other is a stranger's.
    pub fn client_for<'a>(&'a self, url: &str, outside: &'a Outgoing) -> &'a Outgoing {
        let own = url.strip_prefix(&self.base).is_some_and(|rest| rest.starts_with('/'));
        if own { &self.http } else { outside }
    }

    /// Where the archive of this version is (`None`: of the newest).
    pub async fn look(
        &self,
        kind: PackageKind,
        name: &str,
        version: Option<&str>,
    ) -> Result<Listed, DirectoryError> {
        let (plural, base) = (kind.plural(), &self.base);
        // `name` has nothing that would need encoding (`is_package_name`).
        let url = format!(
            "{base}/{plural}/info/1.2/?action={kind}_information&request[slug]={name}\
             &request[fields][versions]=1&request[fields][sections]=0"
        )
        .replace('[', "%5B")
        .replace(']', "%5D");
        let answer = self.http.call(outgoing::get(&url)?, &BOUNDS).await?;
        let unknown = || {
            DirectoryError::Unknown(format!(
                "the directory of WordPress.org has no {kind} `{name}`"
            ))
        };
        match answer.status().as_u16() {
            200 => {}
            404 => return Err(unknown()),
            status => return Err(DirectoryError::Strange(format!("with status {status}"))),
        }
        // It says `false` or `null` of what it does not have, with status 200.
        let body: serde_json::Value = serde_json::from_slice(answer.body())
            .map_err(|_| DirectoryError::Strange("something else than JSON".to_owned()))?;
        if !body.is_object() {
            return Err(unknown());
        }
        let information: Information = serde_json::from_value(body)
            .map_err(|_| DirectoryError::Strange("in another form than expected".to_owned()))?;
        pick(information, version).ok_or_else(|| {
            DirectoryError::Unknown(match version {
                Some(version) => format!(
                    "the directory of WordPress.org has no version {version} of the {kind} `{name}`"
                ),
                None => format!("the directory of WordPress.org offers no archive of `{name}`"),
            })
        })
    }
}

fn pick(information: Information, wanted: Option<&str>) -> Option<Listed> {
    let newest = information.version.filter(|version| is_package_version(version));
    let wanted = wanted.map(str::to_owned);
    if wanted.is_none() || wanted == newest {
        return Some(Listed { version: newest?, url: information.download_link? });
    }
    let versions: BTreeMap<String, String> =
        serde_json::from_value(information.versions).unwrap_or_default();
    let version = wanted?;
    let url = versions.get(&version)?.clone();
    Some(Listed { version, url })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_are_found_in_what_the_directory_answers() {
        let information = || {
            serde_json::from_value::<Information>(json!({
                "name": "Akismet", "version": "5.3", "download_link": "https://d/a.5.3.zip",
                "versions": {"5.2": "https://d/a.5.2.zip", "trunk": "https://d/a.zip"}
            }))
            .unwrap()
        };
        let listed = |version: &str, url: &str| {
            Some(Listed { version: version.to_owned(), url: url.to_owned() })
        };
        assert_eq!(pick(information(), None), listed("5.3", "https://d/a.5.3.zip"));
        assert_eq!(pick(information(), Some("5.3")), listed("5.3", "https://d/a.5.3.zip"));
        assert_eq!(pick(information(), Some("5.2")), listed("5.2", "https://d/a.5.2.zip"));
        assert_eq!(pick(information(), Some("1.0")), None);
        let empty = json!({"version": "1", "download_link": "https://d/1.zip", "versions": []});
        assert_eq!(pick(serde_json::from_value(empty).unwrap(), Some("2")), None);
    }
}
