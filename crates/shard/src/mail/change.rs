//! What people do with a site's mail: send again what came back, stays here or waits; remove any.

use aipress_api::internal::MailChange;
use aipress_api::internal::MailVerb;
use aipress_api::mail::MailChangedView;
use aipress_api::mail::MailSkipReason;
use aipress_api::mail::MailSkippedView;
use aipress_api::mail::MailState;
use aipress_types::TenantUid;

use super::Mails;
use super::spool::Mail;

impl Mails {
    /// Does it, or only says what it would do.
    ///
    /// # Errors
    /// In words for the site's people, when nothing can be sent at all.
    pub(crate) fn change(
        &self,
        uid: TenantUid,
        change: &MailChange,
    ) -> Result<MailChangedView, &'static str> {
        if change.verb == MailVerb::Retry && self.settings.server.is_none() {
            return Err("nothing can be sent: no mail server is set (`mail.server`)");
        }
        let now = self.clock.now().unix_timestamp();
        let mut inner = self.lock();
        let sending = inner.sending.get(&uid).cloned();
        let Some(mails) = inner.boxes.get_mut(&uid) else {
            return Ok(unknown(&change.ids));
        };
        let ids = if change.all { mails.keys().cloned().collect() } else { change.ids.clone() };
        let mut done = MailChangedView::default();
        for id in ids {
            let skips = match mails.get(&id) {
                None => Some(MailSkipReason::Unknown),
                Some(mail) if change.verb == MailVerb::Retry && mail.state == MailState::Sent => {
                    Some(MailSkipReason::Sent)
                }
                Some(_) => None,
            };
            match skips {
                Some(MailSkipReason::Sent) if change.all => continue,
                Some(reason) => {
                    done.skipped.push(MailSkippedView { id, reason });
                    continue;
                }
                None if change.is_rehearsal => {}
                None if change.verb == MailVerb::Delete => {
                    self.spool.remove(uid, &id);
                    mails.remove(&id);
                }
                // It is being sent as it was read: what comes of that is noted first.
                None if sending.as_ref() == Some(&id) => {}
                None => {
                    let Some(mail) = mails.get_mut(&id) else { continue };
                    mail.again(now);
                    if let Err(error) = self.spool.note(uid, &id, mail) {
                        tracing::warn!(tenant_id = %uid, %error, "a mail's new try is not kept");
                    }
                }
            }
            done.items.push(id);
        }
        Ok(done)
    }
}

fn unknown(ids: &[String]) -> MailChangedView {
    let skipped = ids
        .iter()
        .map(|id| MailSkippedView { id: id.clone(), reason: MailSkipReason::Unknown })
        .collect();
    MailChangedView { items: Vec::new(), skipped }
}

impl Mail {
    /// As if it were new, for whom it has not reached.
    fn again(&mut self, now: i64) {
        for one in &mut self.recipients {
            if one.state != MailState::Sent {
                one.state = MailState::Queued;
            }
        }
        self.state = MailState::Queued;
        (self.attempts, self.next, self.since) = (0, now, now);
    }
}
