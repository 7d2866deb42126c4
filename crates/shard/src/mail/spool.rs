//! Messages on disk: `mail/<uid>/<id>.eml` and beside it what is known of it, `<id>.json`, written
//! last and atomically: a message without is no message; and how much the site has sent, `counts`.
//! All of it is in memory, too, but the text.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use aipress_api::mail::MailRecipientView;
use aipress_api::mail::MailState;
use aipress_kit::durable;
use aipress_types::TenantUid;
use serde::Deserialize;
use serde::Serialize;

use super::counts::Counts;

/// The file of a site's counts.
const COUNTS: &str = "counts";

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mail {
    pub(crate) state: MailState,
    /// When it was taken, in seconds since 1970.
    pub(crate) at: i64,
    /// Since when it is tried: later than it was taken when somebody had it sent again.
    #[serde(default)]
    pub(crate) since: i64,
    pub(crate) envelope: String,
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) bytes: u64,
    pub(crate) recipients: Vec<MailRecipientView>,
    pub(crate) attempts: u32,
    /// When it is tried next, while it is queued.
    pub(crate) next: i64,
    pub(crate) said: Option<String>,
    /// Whether it came back, and meta has not heard of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) untold: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(it: &bool) -> bool {
    !*it
}

/// Messages of a site, by id: the oldest first.
pub(crate) type Box = BTreeMap<String, Mail>;

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    dir: PathBuf,
}

impl Spool {
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self { dir })
    }

    /// What is there; what is half written is removed.
    pub(crate) fn load(
        &self,
    ) -> io::Result<(BTreeMap<TenantUid, Box>, BTreeMap<TenantUid, Counts>)> {
        let (mut all, mut counts) = (BTreeMap::new(), BTreeMap::new());
        for folder in std::fs::read_dir(&self.dir)? {
            let folder = folder?;
            let Some(uid) = folder.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let mut mails = Box::new();
            let names: Vec<_> = std::fs::read_dir(folder.path())?.filter_map(Result::ok).collect();
            for file in &names {
                let name = file.file_name();
                let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".json")) else {
                    continue;
                };
                if id.starts_with('.') {
                    continue;
                }
                match std::fs::read(file.path()).map(|text| serde_json::from_slice(&text)) {
                    Ok(Ok(mail)) => drop(mails.insert(id.to_owned(), mail)),
                    _ => tracing::warn!(path = %file.path().display(), "a mail is not understood"),
                }
            }
            counts.insert(uid, self.load_counts(uid, &mails));
            for file in names {
                let name = file.file_name();
                if name == COUNTS {
                    continue;
                }
                let id = name.to_str().and_then(|name| name.split_once('.')).map(|it| it.0);
                if id.is_none_or(|id| !mails.contains_key(id)) {
                    let _ = std::fs::remove_file(file.path());
                }
            }
            all.insert(uid, mails);
        }
        Ok((all, counts))
    }

    /// What was counted; where that is not there, what its mail shows of it.
    fn load_counts(&self, uid: TenantUid, mails: &Box) -> Counts {
        let kept = std::fs::read(self.folder(uid).join(COUNTS));
        if let Some(counts) = kept.ok().and_then(|text| serde_json::from_slice(&text).ok()) {
            return counts;
        }
        let mut counts = Counts::default();
        for mail in mails.values() {
            counts.add(mail.at, super::count(mail.recipients.len()));
        }
        counts
    }

    /// Writes a site's counts.
    pub(crate) fn put_counts(&self, uid: TenantUid, counts: &mut Counts) -> io::Result<()> {
        let text = serde_json::to_vec(counts).map_err(io::Error::other)?;
        self.make(uid)?;
        durable::write(&self.folder(uid).join(COUNTS), &text, 0o600)?;
        counts.is_new = false;
        Ok(())
    }

    fn make(&self, uid: TenantUid) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder(uid))
    }

    pub(crate) fn put(&self, uid: TenantUid, id: &str, mail: &Mail, text: &[u8]) -> io::Result<()> {
        self.make(uid)?;
        durable::write(&self.text(uid, id), text, 0o600)?;
        self.note(uid, id, mail)
    }

    /// Writes what became of it.
    pub(crate) fn note(&self, uid: TenantUid, id: &str, mail: &Mail) -> io::Result<()> {
        let text = serde_json::to_vec(mail).map_err(io::Error::other)?;
        durable::write(&self.folder(uid).join(format!("{id}.json")), &text, 0o600)
    }

    pub(crate) fn read(&self, uid: TenantUid, id: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.text(uid, id))
    }

    pub(crate) fn remove(&self, uid: TenantUid, id: &str) {
        // What is known of it goes first: without it, it is no message.
        let _ = std::fs::remove_file(self.folder(uid).join(format!("{id}.json")));
        self.remove_text(uid, id);
    }

    pub(crate) fn remove_text(&self, uid: TenantUid, id: &str) {
        let _ = std::fs::remove_file(self.text(uid, id));
    }

    pub(crate) fn remove_all(&self, uid: TenantUid) {
        match std::fs::remove_dir_all(self.folder(uid)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(tenant_id = %uid, %error, "a site's mail is not removed");
            }
            _ => {}
        }
    }

    /// Bytes that the disk has left.
    pub(crate) fn free(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn folder(&self, uid: TenantUid) -> PathBuf {
        self.dir.join(uid.to_string())
    }

    fn text(&self, uid: TenantUid, id: &str) -> PathBuf {
        self.folder(uid).join(format!("{id}.eml"))
    }
}
