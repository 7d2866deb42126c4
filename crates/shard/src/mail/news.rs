//! What a site's people want to hear of its mail, as an event: that some came back, that a limit is
//! met. Told to meta with the shard's reports, again until meta has it; what came back also after a
//! restart.

use aipress_api::internal::MailNews;
use aipress_api::internal::MailNewsKind;
use aipress_api::mail::MailState;
use aipress_types::TenantUid;

use super::HOUR_S;
use super::Inner;
use super::Mails;

/// Most that one report tells of.
const AT_ONCE: usize = 50;
/// Recipients that are named.
const NAMED: usize = 5;
/// A site that stays at its limit is told of this often, in seconds.
const LIMIT_EVERY_S: i64 = HOUR_S;

/// A limit that a site has met.
#[derive(Debug, Clone)]
pub(super) struct Limited {
    at: i64,
    words: String,
    is_told: bool,
}

impl Mails {
    /// What meta has not heard yet, the first of it.
    pub(crate) fn news(&self) -> Vec<MailNews> {
        let mut inner = self.lock();
        let Inner { boxes, untold, limited, .. } = &mut *inner;
        let mut news = Vec::new();
        untold.retain(|(uid, id)| {
            let Some(mail) = boxes.get(uid).and_then(|mails| mails.get(id)) else { return false };
            if !mail.untold {
                return false;
            }
            if news.len() < AT_ONCE {
                let lost = mail.recipients.iter().filter(|one| one.state == MailState::Bounced);
                let said = lost.clone().find_map(|one| one.said.clone());
                news.push(MailNews {
                    uid: *uid,
                    kind: MailNewsKind::Bounced,
                    mail: Some(id.clone()),
                    to: lost.take(NAMED).map(|one| one.address.clone()).collect(),
                    message: said.or_else(|| mail.said.clone()).unwrap_or_default(),
                });
            }
            true
        });
        let waiting = limited.iter().filter(|(_, limited)| !limited.is_told);
        for (uid, limited) in waiting.take(AT_ONCE.saturating_sub(news.len())) {
            news.push(MailNews {
                uid: *uid,
                kind: MailNewsKind::Limited,
                mail: None,
                to: Vec::new(),
                message: limited.words.clone(),
            });
        }
        news
    }

    /// Meta has these.
    pub(crate) fn told(&self, news: &[MailNews]) {
        let mut inner = self.lock();
        let Inner { boxes, untold, limited, .. } = &mut *inner;
        for one in news {
            let Some(id) = &one.mail else {
                if let Some(limited) = limited.get_mut(&one.uid) {
                    limited.is_told = true;
                }
                continue;
            };
            untold.remove(&(one.uid, id.clone()));
            let mail = boxes.get_mut(&one.uid).and_then(|mails| mails.get_mut(id));
            if let Some(mail) = mail {
                mail.untold = false;
                if let Err(error) = self.spool.note(one.uid, id, mail) {
                    // It is told once more after a restart.
                    tracing::warn!(tenant_id = %one.uid, %error, "that a mail was told is not kept");
                }
            }
        }
    }
}

impl Inner {
    /// A site has met its limit.
    pub(super) fn limit_met(&mut self, uid: TenantUid, at: i64, words: &str) {
        let known = self.limited.get(&uid);
        if known.is_none_or(|known| !(known.at..known.at + LIMIT_EVERY_S).contains(&at)) {
            self.limited.insert(uid, Limited { at, words: words.to_owned(), is_told: false });
        }
    }
}
