//! Plugins and themes in a site's folder, as the reconciler sees them. A folder comes and goes in one
//! step: what is half unpacked or half removed never stands at its place.
//!
//! Each has a *place* below `wp-content`, and room *beside*, out of the tenant's reach, for what is
//! about to come or has just gone.

use std::path::Path;

use aipress_types::PackageKind;
use aipress_types::TenantUid;
use async_trait::async_trait;

use crate::Ensured;
use crate::error::DriverError;
use crate::layout::Slot;

/// Where a plugin or theme stands, or would.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackagePlace {
    /// The site.
    pub uid: TenantUid,
    /// The slot that it sits in, whose user owns its files.
    pub slot: Slot,
    /// Plugin or theme.
    pub kind: PackageKind,
    /// Its folder's name.
    pub name: String,
}

/// Tells one folder from another, also of the same name and contents, for as long as both are there.
pub type PackageMark = u64;

/// Plugins and themes in sites' folders.
#[async_trait]
pub trait Packages: Send + Sync {
    /// Unpacks an archive beside, in place of what is there. It is checked again.
    ///
    /// # Errors
    /// `Invalid` when the archive is not sound or holds another folder.
    async fn stage(&self, place: &PackagePlace, archive: &Path)
    -> Result<PackageMark, DriverError>;

    /// What stands at the place.
    async fn installed(&self, place: &PackagePlace) -> Result<Option<PackageMark>, DriverError>;

    /// Exchanges what stands at the place with what is beside, in one step; either may be nothing.
    ///
    /// # Errors
    /// `Conflict` when what is beside belongs to another slot.
    async fn swap(&self, place: &PackagePlace) -> Result<(), DriverError>;

    /// Removes everything that is beside a site.
    async fn clear_beside(&self, uid: TenantUid) -> Result<Ensured, DriverError>;
}
