//! The last intents on disk: one sealed file for each tenant, so that sites are served and
//! healed with meta down. A file is whole or not there; it holds secrets and opens only under
//! the shard's key.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use aipress_kit::durable;
use aipress_kit::seal::SealError;
use aipress_kit::seal::Sealer;
use aipress_types::DesiredState;
use aipress_types::TenantIntent;
use aipress_types::TenantSecrets;
use aipress_types::TenantUid;
use aipress_types::intent::PackageRef;
use aipress_types::intent::RolledBack;
use serde::Deserialize;
use serde::Serialize;

use crate::smoke::Health;

/// What is kept of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The last intent that was accepted.
    pub intent: TenantIntent,
    /// The slot that it sits in, 1-based.
    pub slot: Option<u32>,
    /// The core version that it runs: chosen once, so that a newer default moves nobody.
    pub core_version: Option<String>,
    /// Whether the site was whole once: its gateway may serve it before it is looked at again.
    pub built: bool,
    /// Whether its files and database are (or are being) kept aside.
    pub aside: bool,
    /// Which php-fpm master its visitors meet.
    #[serde(default)]
    pub master: Master,
    /// Its way to another core, while it is on it.
    #[serde(default)]
    pub moving: Option<CoreMove>,
    /// The core that it does not work with.
    #[serde(default)]
    pub refused: Option<RefusedMove>,
    /// PHP settings that its workers may hold, by name; none when it never had any.
    #[serde(default)]
    pub php_told: BTreeMap<String, String>,
    /// What the shard did about plugins and themes.
    #[serde(default)]
    pub packages: KeptPackages,
    /// Its way to other secrets, while it is on it.
    #[serde(default)]
    pub rotation: Option<Rotation>,
}

/// A site on its way from one set of secrets to another: its database and its cache take both as
/// long as somebody may have read the former.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// What `site.json` has, or is about to have.
    pub used: TenantSecrets,
    /// What it had before. `None` while the site has not begun to go over.
    pub former: Option<TenantSecrets>,
}

/// What is kept of a tenant's plugins and themes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptPackages {
    /// What the spec installed: it goes when the spec no longer names it. What a person installed is
    /// not here.
    #[serde(default)]
    pub managed: Vec<Managed>,
    /// The change that is under way: taken back when it is found here at the next look.
    #[serde(default)]
    pub pending: Option<Pending>,
    /// Changes that were taken back.
    #[serde(default)]
    pub held: Vec<Held>,
}

/// A plugin or theme that the spec installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Managed {
    /// Which.
    pub package: PackageRef,
    /// Its version.
    pub version: String,
    /// SHA-256 of its archive.
    pub sha256: String,
}

/// How it was before a change that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// What is changed.
    pub package: PackageRef,
    /// What stood at its place.
    pub former: Option<u64>,
    /// Whether it was switched on.
    pub was_active: bool,
    /// The theme that was.
    pub theme: Option<String>,
}

/// A change that made the site fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// What was taken back, and why.
    pub rolled_back: RolledBack,
    /// Of what spec it was: another one is tried.
    pub digest: String,
}

/// Which php-fpm master runs a tenant's PHP. Kept, so that none is forgotten while it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Master {
    /// The shard's; the slot has none of its own.
    #[default]
    Shared,
    /// The shard's, while one of the slot's own begins or ends beside it.
    Beside,
    /// The slot's own.
    Own,
}

/// A site on its way from one core to another: where a control plane that was killed goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoreMove {
    /// The version that it came from, and goes back to when the other does not work.
    pub from: String,
    /// The version that it goes to.
    pub to: String,
    /// What was begun.
    pub phase: MovePhase,
    /// How the site was before.
    pub before: Health,
}

/// How far a move is. Each is written before anything of it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MovePhase {
    /// Visitors are kept away and the database is copied; the site is untouched.
    Begun,
    /// The copy is whole; the site is being changed.
    Switching,
    /// The new version works: what is left is to drop the copy.
    Settled,
    /// It does not work, in these words: everything goes back.
    Back(String),
}

/// A move that failed or has no way; not tried again until another version is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedMove {
    /// The version as the spec has it.
    pub wanted: String,
    /// Why, for people.
    pub message: String,
}

impl Entry {
    /// Whether its slot's PHP may work for people: it is whole, wanted, and not being changed.
    pub fn is_served(&self) -> bool {
        self.built
            && !self.aside
            && self.moving.is_none()
            && self.intent.desired == DesiredState::Active
    }

    /// A tenant of which nothing exists yet.
    pub fn new(intent: TenantIntent) -> Self {
        Self {
            intent,
            slot: None,
            core_version: None,
            built: false,
            aside: false,
            master: Master::Shared,
            moving: None,
            refused: None,
            php_told: BTreeMap::new(),
            packages: KeptPackages::default(),
            rotation: None,
        }
    }

    /// The same tenant, of which something else is asked.
    pub fn asked(&self, intent: TenantIntent) -> Self {
        let mut entry = Self { intent, ..self.clone() };
        let others = entry.intent.secrets != self.intent.secrets;
        // What was never whole has nobody who uses the former ones, nor has what is aside.
        if others && entry.rotation.is_none() && entry.built && !entry.aside {
            entry.rotation = Some(Rotation { used: self.intent.secrets.clone(), former: None });
        }
        entry
            .rotation
            .take_if(|rotation| rotation.former.is_none() && rotation.used == entry.intent.secrets);
        entry
    }

    /// The secrets that the site uses: those that were asked for, once it has gone over to them.
    pub fn secrets(&self) -> &TenantSecrets {
        self.rotation.as_ref().map_or(&self.intent.secrets, |rotation| &rotation.used)
    }
}

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system.
    #[error("intent file {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Key or file are not those of the writing.
    #[error("intent of tenant {uid}: {source}")]
    Seal {
        /// Whose.
        uid: TenantUid,
        /// What failed.
        source: SealError,
    },
    /// Opened, but not understood.
    #[error("intent of tenant {uid}: {source}")]
    Form {
        /// Whose.
        uid: TenantUid,
        /// What was not understood.
        source: serde_json::Error,
    },
}

/// The folder of intents.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
    sealer: Sealer,
}

impl Journal {
    /// Opens the folder, making it (mode 0700) when it is not there.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(dir: PathBuf, sealer: Sealer) -> Result<Self, JournalError> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|source| JournalError::Io { path: dir.clone(), source })?;
        Ok(Self { dir, sealer })
    }

    /// Every entry, and every file that is damaged: those are left where they are for a person
    /// to look at; the next intent that meta sends replaces them.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn load(&self) -> Result<(Vec<Entry>, Vec<JournalError>), JournalError> {
        let failed = |source| JournalError::Io { path: self.dir.clone(), source };
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        for file in fs::read_dir(&self.dir).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            // Anything that is no uid is a leftover of an interrupted write.
            let Some(uid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            match self.read(uid) {
                Ok(entry) => entries.push(entry),
                Err(error) => damaged.push(error),
            }
        }
        Ok((entries, damaged))
    }

    /// Writes one entry durably.
    ///
    /// # Errors
    /// When it can't be written; the former one is then untouched.
    pub fn write(&self, entry: &Entry) -> Result<(), JournalError> {
        let uid = entry.intent.uid;
        let plain =
            serde_json::to_vec(entry).map_err(|source| JournalError::Form { uid, source })?;
        let sealed = self
            .sealer
            .seal(&place(uid), &plain)
            .map_err(|source| JournalError::Seal { uid, source })?;
        let path = self.path(uid);
        durable::write(&path, &sealed, 0o600).map_err(|source| JournalError::Io { path, source })
    }

    /// Forgets a tenant. One that is not there is forgotten already.
    ///
    /// # Errors
    /// When the file can't be removed.
    pub fn remove(&self, uid: TenantUid) -> Result<(), JournalError> {
        let path = self.path(uid);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(JournalError::Io { path, source }),
            Ok(()) => Ok(()),
        }
    }

    fn read(&self, uid: TenantUid) -> Result<Entry, JournalError> {
        let path = self.path(uid);
        let sealed = fs::read(&path).map_err(|source| JournalError::Io { path, source })?;
        let plain = self
            .sealer
            .open(&place(uid), &sealed)
            .map_err(|source| JournalError::Seal { uid, source })?;
        serde_json::from_slice(&plain).map_err(|source| JournalError::Form { uid, source })
    }

    fn path(&self, uid: TenantUid) -> PathBuf {
        self.dir.join(uid.to_string())
    }
}

fn place(uid: TenantUid) -> String {
    format!("intents/{uid}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::intent;

    #[test]
    fn entries_come_back_and_hold_no_plain_secret() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path().join("intents"), Sealer::new(&[1; 32])).unwrap();
        let entry = Entry { slot: Some(7), ..Entry::new(intent("bakery")) };
        journal.write(&entry).unwrap();
        let bytes = fs::read(journal.path(entry.intent.uid)).unwrap();
        let secret = entry.intent.secrets.db_password.expose().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        assert_eq!(journal.load().unwrap().0, std::slice::from_ref(&entry));
        journal.remove(entry.intent.uid).unwrap();
        journal.remove(entry.intent.uid).unwrap();
        assert_eq!(journal.load().unwrap().0, []);
    }

    #[test]
    fn a_damaged_file_is_told_and_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path().to_owned(), Sealer::new(&[1; 32])).unwrap();
        let good = Entry::new(intent("good"));
        let bad = Entry::new(intent("bad"));
        journal.write(&good).unwrap();
        journal.write(&bad).unwrap();
        fs::write(journal.path(bad.intent.uid), b"noise").unwrap();
        let (entries, damaged) = journal.load().unwrap();
        assert_eq!(entries, [good]);
        assert!(matches!(&damaged[..], [JournalError::Seal { uid, .. }] if *uid == bad.intent.uid));
    }
}
