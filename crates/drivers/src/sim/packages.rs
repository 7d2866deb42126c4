//! The simulated plugins and themes: which stand where, in which version, and which are switched on;
//! and the agent's commands about them, for tests that lay down no answers of their own.

use std::collections::BTreeMap;
use std::path::Path;

use aipress_packages::Archive;
use aipress_packages::Limits;
use aipress_packages::headers::describe;
use aipress_types::PackageKind;
use aipress_types::TenantUid;
use async_trait::async_trait;

use super::SimWorld;
use crate::Ensured;
use crate::error::DriverError;
use crate::exec::ExecCall;
use crate::exec::ExecExit;
use crate::exec::ExecOutput;
use crate::packages::PackageMark;
use crate::packages::PackagePlace;
use crate::packages::Packages;

type Key = (TenantUid, PackageKind, String);

/// What is where.
#[derive(Debug, Default)]
pub(crate) struct State {
    placed: BTreeMap<Key, Folder>,
    beside: BTreeMap<Key, Folder>,
    /// Switched on, as the database says; a plugin that is gone may still be.
    active: BTreeMap<Key, ()>,
    marks: PackageMark,
}

#[derive(Debug, Clone)]
struct Folder {
    mark: PackageMark,
    version: String,
}

/// A plugin or theme of a simulated site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimPackage {
    /// Its version.
    pub version: String,
    /// Whether it is switched on.
    pub active: bool,
}

fn key(place: &PackagePlace) -> Key {
    (place.uid, place.kind, place.name.clone())
}

impl State {
    fn put(&mut self, key: Key, version: &str) -> PackageMark {
        self.marks += 1;
        let folder = Folder { mark: self.marks, version: version.to_owned() };
        self.beside.insert(key, folder);
        self.marks
    }

    fn list(&self, uid: TenantUid, kind: PackageKind) -> String {
        let rows: Vec<String> = self
            .placed
            .iter()
            .filter(|((site, found, _), _)| *site == uid && *found == kind)
            .map(|(key, folder)| {
                let status = if self.active.contains_key(key) { "active" } else { "inactive" };
                format!(
                    r#"{{"name":"{}","status":"{status}","version":"{}","shared":false}}"#,
                    key.2, folder.version
                )
            })
            .collect();
        format!("[{}]", rows.join(","))
    }

    /// The agent's answer.
    pub(super) fn command(&mut self, call: &ExecCall) -> ExecOutput {
        let words: Vec<&str> =
            call.args.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
        let output = |code, out: String, err: &str| ExecOutput {
            exit: ExecExit::Code(code),
            out: out.into_bytes(),
            err: err.as_bytes().to_vec(),
        };
        let Some(kind) = words.first().and_then(|word| word.parse::<PackageKind>().ok()) else {
            return output(0, String::new(), "");
        };
        match words.get(1..).unwrap_or_default() {
            ["list"] => output(0, self.list(call.uid, kind), ""),
            [verb @ ("activate" | "deactivate"), name] => {
                let key = (call.uid, kind, (*name).to_owned());
                if !self.placed.contains_key(&key) {
                    return output(1, String::new(), "Error: it could not be found.");
                }
                if kind == PackageKind::Theme {
                    self.active.retain(|(site, kind, _), ()| {
                        *site != call.uid || *kind != PackageKind::Theme
                    });
                }
                if *verb == "activate" {
                    self.active.insert(key, ());
                } else {
                    self.active.remove(&key);
                }
                output(0, String::new(), "")
            }
            _ => output(1, String::new(), "Error: not simulated."),
        }
    }
}

impl SimWorld {
    /// A plugin or theme as it stands in a site.
    pub fn package(&self, uid: TenantUid, kind: PackageKind, name: &str) -> Option<SimPackage> {
        let world = self.lock();
        let key = (uid, kind, name.to_owned());
        let folder = world.packages.placed.get(&key)?;
        let active = world.packages.active.contains_key(&key);
        Some(SimPackage { version: folder.version.clone(), active })
    }

    /// Puts a plugin or theme into a site, or another version of it, as somebody in wp-admin would.
    pub fn install_by_hand(&self, uid: TenantUid, kind: PackageKind, name: &str, version: &str) {
        let mut world = self.lock();
        let key = (uid, kind, name.to_owned());
        world.packages.put(key.clone(), version);
        if let Some(folder) = world.packages.beside.remove(&key) {
            world.packages.placed.insert(key, folder);
        }
    }

    /// What is beside sites.
    pub fn beside(&self) -> usize {
        self.lock().packages.beside.len()
    }
}

#[async_trait]
impl Packages for SimWorld {
    async fn stage(
        &self,
        place: &PackagePlace,
        archive: &Path,
    ) -> Result<PackageMark, DriverError> {
        let refused = |error: &dyn std::fmt::Display| {
            DriverError::invalid("unpack archive", error.to_string())
        };
        let file = std::fs::File::open(archive)
            .map_err(|error| DriverError::io("open archive", archive, error))?;
        let zip = Archive::open(file, &Limits::default()).map_err(|error| refused(&error))?;
        zip.verify().map_err(|error| refused(&error))?;
        let found = describe(&zip, Some(place.kind)).map_err(|error| refused(&error))?;
        if found.name != place.name {
            return Err(refused(&format!("it holds `{}`, not `{}`", found.name, place.name)));
        }
        self.call("packages.stage", |world| Ok(world.packages.put(key(place), &found.version)))
            .await
    }

    async fn installed(&self, place: &PackagePlace) -> Result<Option<PackageMark>, DriverError> {
        self.call("packages.installed", |world| {
            Ok(world.packages.placed.get(&key(place)).map(|folder| folder.mark))
        })
        .await
    }

    async fn swap(&self, place: &PackagePlace) -> Result<(), DriverError> {
        self.call("packages.swap", |world| {
            let (packages, key) = (&mut world.packages, key(place));
            let (standing, waiting) = (packages.placed.remove(&key), packages.beside.remove(&key));
            if let Some(folder) = waiting {
                packages.placed.insert(key.clone(), folder);
            }
            if let Some(folder) = standing {
                packages.beside.insert(key, folder);
            }
            Ok(())
        })
        .await
    }

    async fn clear_beside(&self, uid: TenantUid) -> Result<Ensured, DriverError> {
        self.call("packages.clear_beside", |world| {
            let before = world.packages.beside.len();
            world.packages.beside.retain(|(site, _, _), _| *site != uid);
            let fewer = world.packages.beside.len() < before;
            Ok(if fewer { Ensured::Repaired } else { Ensured::Kept })
        })
        .await
    }
}
