//! The newest version of a plugin or theme that can be had: of the directory, or of the mirror when
//! that can't be asked or has a newer one. Nothing is fetched.

use std::cmp::Ordering;

use aipress_mirror::DirectoryError;
use aipress_types::PackageSource;
use aipress_types::package::compare_versions;

use crate::app::package::resolve;
use crate::app::package::resolve::Wanted;
use crate::codes;
use crate::plane::Plane;
use crate::problem::ApiError;

/// The newest version of what is wanted, whose own version is not looked at.
pub(crate) async fn version(plane: &Plane, wanted: &Wanted) -> Result<String, ApiError> {
    let Wanted { account, kind, name, source, .. } = wanted;
    if source.pinned().is_some() {
        return Err(ApiError::field(
            "/source",
            format!(
                "the site's document names one archive of {kind} `{name}` by its checksum: give \
                 the source of the new one, or `mirror`"
            ),
        ));
    }
    let held = plane.store.package_candidates(*kind, name, *account).await?;
    let any = Wanted { version: None, ..wanted.clone() };
    let held = resolve::best(held, &any, *source == PackageSource::Directory)
        .map(|record| record.facts.version);
    if *source == PackageSource::Mirror {
        return held.ok_or_else(|| {
            let detail = format!(
                "the mirror has no {kind} `{name}`: upload it with `aipress package add FILE`"
            );
            ApiError::new(&codes::PACKAGE_REFUSED, detail)
        });
    }
    match (plane.mirror.directory.look(*kind, name, None).await, held) {
        (Ok(listed), Some(held)) => Ok(match compare_versions(&held, &listed.version) {
            Ordering::Greater => held,
            _ => listed.version,
        }),
        (Ok(listed), None) => Ok(listed.version),
        (Err(_), Some(held)) => Ok(held),
        (Err(error), None) => {
            let code = match error {
                DirectoryError::Unknown(_) => &codes::PACKAGE_REFUSED,
                _ => &codes::PACKAGE_UNAVAILABLE,
            };
            Err(ApiError::new(code, format!("{error}{}", error.advice())))
        }
    }
}
