//! WordPress from the machine's own package archive (Debian or Ubuntu).
//!
//! The archive's address and keyring are those of the machine's apt sources;
//! lists and downloads live in a state folder of their own, so nothing of the
//! machine's package management is read for writing or changed. Signatures are
//! always checked. Nothing is installed: packages are unpacked only.

mod apt;
mod assemble;
mod control;
mod sources;
mod suites;

use std::path::{Path, PathBuf};

use crate::error::CoreError;
use crate::store::{Progress, Unpacked, Wanted};
use crate::version::Version;

use apt::Apt;
use suites::Suite;

/// The package management of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineApt {
    root: PathBuf,
}

impl Default for MachineApt {
    fn default() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

/// A WordPress that a suite has.
pub(crate) struct PackagedCore {
    pub(crate) version: Version,
    packaged: control::Entry,
    suite: String,
    apt: Apt,
    /// The root folder of the machine, for what installation would have made.
    machine: PathBuf,
}

impl MachineApt {
    /// Reads `etc/apt` and `etc/os-release` beneath `root` instead of `/`.
    pub fn beneath(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The stable WordPress versions that answer to `wanted`, newest first.
    /// `state` is the folder for lists and downloads.
    pub(crate) async fn offers(
        &self,
        wanted: &Wanted,
        state: &Path,
        progress: Progress<'_>,
    ) -> Result<Vec<PackagedCore>, CoreError> {
        let machine = suites::of_machine(&self.root)?;
        let mut offers = Vec::new();
        let mut reasons = Vec::new();
        for suite in &machine.suites {
            progress(&format!("reading the package lists of {}", suite.name));
            match self.offer(suite, &machine, state, progress).await {
                Ok(Some(offer)) if offer.answers(wanted) => {
                    offers.push(offer);
                    // A branch lives in one suite; the newest of all may be in any.
                    if matches!(wanted, Wanted::Version(_)) {
                        break;
                    }
                }
                Ok(Some(other)) => reasons.push(format!("{} has {}", suite.name, other.version)),
                Ok(None) => reasons.push(format!("{} has none", suite.name)),
                Err(error @ CoreError::ProgramMissing { .. }) => return Err(error),
                Err(error) => {
                    progress(&format!("{} cannot be used: {}", suite.name, error.in_one_line()));
                    reasons.push(format!("{}: {}", suite.name, error.in_one_line()));
                }
            }
        }
        if offers.is_empty() {
            let reasons = reasons.join(", ");
            return Err(CoreError::Unavailable { wanted: wanted.to_string(), reasons });
        }
        offers.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(offers)
    }

    async fn offer(
        &self,
        suite: &Suite,
        machine: &suites::Machine,
        state: &Path,
        progress: Progress<'_>,
    ) -> Result<Option<PackagedCore>, CoreError> {
        let apt = apt::updated(suite, machine, state, progress).await?;
        let entries = apt.show(&["wordpress".to_owned()]).await?;
        let Some(packaged) = entries.into_iter().next() else { return Ok(None) };
        let Some(version) = Version::from_packaged(&packaged.version) else { return Ok(None) };
        let (suite, machine) = (suite.name.clone(), self.root.clone());
        Ok(Some(PackagedCore { version, packaged, suite, apt, machine }))
    }
}

impl PackagedCore {
    fn answers(&self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Default => true,
            Wanted::Version(branch) => self.version.is_of(branch),
        }
    }

    /// Downloads and unpacks it in `stage`, with its themes and the packages
    /// that its links point into.
    pub(crate) async fn unpack(
        &self,
        stage: &Path,
        progress: Progress<'_>,
    ) -> Result<Unpacked, CoreError> {
        assemble::assemble(self, stage, progress).await
    }
}
