//! WordPress core versions on disk: fetched, verified, made plain, shared.
//!
//! A [`CoreStore`] holds several versions side by side, each in a folder of its
//! full version string. Invariants:
//!
//! - A folder of a version appears by one rename of a complete, synced tree, so
//!   whatever is seen is whole; what an interruption left behind has a name
//!   that starts with a dot and goes at the next start.
//! - No link leaves (or is inside of) a core: every file is a plain file of
//!   mode 0644 in folders of mode 0755, owned by who runs the platform.
//! - Nothing unverified is unpacked: a release archive must match the checksum
//!   published beside it and the one remembered from before, a package the
//!   signed lists of its archive.
//!
//! Deliberately absent: what is put into a core's `wp-config.php` (the caller
//! gives the text to [`install_config`]), which site runs which version, and
//! the environment (folders and the PHP version are arguments).

mod checksums;
mod config_file;
mod debian;
mod error;
mod inspect;
mod lock;
mod manifest;
mod program;
mod release;
mod shelf;
mod store;
mod tree;
mod version;

pub use config_file::install_config;
pub use debian::MachineApt;
pub use error::CoreError;
pub use manifest::{Manifest, Origin, Package};
pub use program::php_version;
pub use release::ReleaseSite;
pub use store::{Core, CoreStore, Progress, Sources, Wanted, cache_dir};
pub use version::{ParseVersionError, Version};
