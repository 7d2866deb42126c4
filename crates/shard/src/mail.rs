//! Mail that sites send: taken from PHP over a socket, whose other end the kernel names; bounded for
//! each site; kept on disk until the mail server has it, or for people to read when none is set.
//!
//! Who sends is never taken from what PHP says: the envelope's sender and the first headers name the
//! tenant that the slot's Unix user belongs to.

mod change;
pub(crate) mod compose;
mod counts;
pub(crate) mod intake;
mod news;
pub(crate) mod spool;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use aipress_api::internal::MailTallies;
use aipress_api::mail::MailListView;
use aipress_api::mail::MailRecipientView;
use aipress_api::mail::MailState;
use aipress_api::mail::MailUseView;
use aipress_api::mail::MailView;
use aipress_kit::clock::Clock;
use aipress_kit::http::outgoing::Trust;
use aipress_kit::random;
use aipress_kit::smtp::Outcome;
use aipress_kit::smtp::SmtpError;
use aipress_kit::smtp::SmtpServer;
use aipress_types::TenantUid;
use aipress_types::Tier;
use time::OffsetDateTime;

use self::compose::Given;
use self::compose::Sender;
use self::counts::Counts;
use self::news::Limited;
use self::spool::Mail;
use self::spool::Spool;

/// Messages of a site that are kept, sent or not; then the oldest that nobody waits for go.
const MAILS_MAX: usize = 1000;
/// Bytes of a site's messages, likewise.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Space that stays free on the disk, in bytes.
const HEADROOM: u64 = 1024 * 1024 * 1024;
/// How long a message is tried, in seconds.
const PATIENCE_S: i64 = 2 * 24 * 3600;
/// Between tries, in seconds: doubles to [`RETRY_MAX_S`].
const RETRY_FIRST_S: i64 = 60;
/// See [`RETRY_FIRST_S`].
const RETRY_MAX_S: i64 = 4 * 3600;
/// How long what is done is kept, in seconds.
const KEPT_S: i64 = 30 * 24 * 3600;
/// Messages on their way to the server at once, one of a site.
const AT_ONCE: usize = 4;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// Recipients that a site may have in an hour, and in a day.
pub(crate) fn limits(tier: Tier) -> (u32, u32) {
    match tier {
        Tier::Bronze => (100, 500),
        Tier::Silver => (300, 2_000),
        Tier::Gold => (1_000, 10_000),
    }
}

/// Where mail goes.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The server; without one all mail stays here.
    pub server: Option<SmtpServer>,
    /// Who signs in there.
    pub user: Option<String>,
    /// File of the password.
    pub password_file: Option<PathBuf>,
    /// Who vouches for the server.
    pub trust: Trust,
    /// Domain of the addresses that bounces go to.
    pub domain: String,
}

/// A site that sends.
#[derive(Debug, Clone)]
pub(crate) struct From {
    pub(crate) uid: TenantUid,
    pub(crate) tier: Tier,
    /// Its first host, without a port.
    pub(crate) host: String,
    pub(crate) shard: String,
}

/// A message to send.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) uid: TenantUid,
    pub(crate) id: String,
    pub(crate) envelope: String,
    pub(crate) to: Vec<String>,
}

/// All sites' mail.
pub(crate) struct Mails {
    pub(crate) settings: MailSettings,
    clock: Clock,
    spool: Spool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    boxes: BTreeMap<TenantUid, spool::Box>,
    counts: BTreeMap<TenantUid, Counts>,
    /// What of each site is on its way.
    sending: BTreeMap<TenantUid, String>,
    /// What came back, and meta has not heard of.
    untold: BTreeSet<(TenantUid, String)>,
    limited: BTreeMap<TenantUid, Limited>,
    /// Of all sites since this process began.
    tallies: MailTallies,
    /// Who was served last: the next one is first.
    last: Option<TenantUid>,
}

impl Mails {
    /// With what the last control plane left.
    pub(crate) fn open(dir: PathBuf, settings: MailSettings, clock: Clock) -> io::Result<Self> {
        let spool = Spool::open(dir)?;
        let (boxes, counts) = spool.load()?;
        let all = boxes.iter().flat_map(|(uid, mails)| mails.iter().map(move |it| (uid, it)));
        let untold = all.filter(|(_, (_, mail))| mail.untold);
        let untold = untold.map(|(uid, (id, _))| (*uid, id.clone())).collect();
        let inner = Inner { boxes, counts, untold, ..Inner::default() };
        Ok(Self { settings, clock, spool, inner: Mutex::new(inner) })
    }

    /// Takes a message; its id, or why not, in words for the site's people.
    pub(crate) fn take(&self, from: &From, given: &Given) -> Result<String, String> {
        let taken = self.take_one(from, given);
        let mut inner = self.lock();
        match taken {
            Ok(_) => inner.tallies.taken += 1,
            Err(_) => {
                inner.tallies.refused += 1;
                inner.counts.entry(from.uid).or_default().total(|totals| totals.refused += 1);
            }
        }
        taken
    }

    fn take_one(&self, from: &From, given: &Given) -> Result<String, String> {
        let now = self.clock.now();
        let random = random::alphanumeric(6).map_err(|error| error.to_string())?;
        let id = format!("{:013x}-{random}", now.unix_timestamp_nanos() / 1_000_000);
        let tenant = from.uid.to_string();
        let sender = Sender { id: &id, host: &from.host, tenant: &tenant, shard: &from.shard, now };
        let composed = compose::compose(given, &sender)?;
        let state =
            if self.settings.server.is_some() { MailState::Queued } else { MailState::Kept };
        let recipient = |address| MailRecipientView { address, state, said: None };
        let at = now.unix_timestamp();
        let mail = Mail {
            state,
            at,
            since: at,
            envelope: format!("site-{}@{}", from.uid.hex(), self.settings.domain),
            from: composed.from,
            subject: composed.subject,
            bytes: composed.message.len() as u64,
            recipients: composed.to.into_iter().map(recipient).collect(),
            attempts: 0,
            next: at,
            said: None,
            untold: false,
        };
        let mut inner = self.lock();
        let wanted = count(mail.recipients.len());
        inner.check_limits(from, wanted, at)?;
        let free = self.spool.free().map_err(|error| error.to_string())?;
        if free < mail.bytes.saturating_add(HEADROOM) {
            return Err("the platform's disk is nearly full: try again later".to_owned());
        }
        self.make_room(&mut inner, from.uid, mail.bytes)?;
        let counts = inner.counts.entry(from.uid).or_default();
        counts.add(at, wanted);
        counts.total(|totals| totals.taken += 1);
        // Counted first: who makes the platform fail between the two sends no more for it.
        let kept = self
            .spool
            .put_counts(from.uid, counts)
            .and_then(|()| self.spool.put(from.uid, &id, &mail, &composed.message));
        if let Err(error) = kept {
            counts.sub(at, wanted);
            counts.total(|totals| totals.taken -= 1);
            tracing::warn!(tenant_id = %from.uid, %error, "a mail can't be kept");
            return Err("the platform can't keep it: try again later".to_owned());
        }
        inner.boxes.entry(from.uid).or_default().insert(id.clone(), mail);
        Ok(id)
    }

    /// Removes the oldest that nobody waits for, until one more fits.
    fn make_room(&self, inner: &mut Inner, uid: TenantUid, bytes: u64) -> Result<(), String> {
        let mails = inner.boxes.entry(uid).or_default();
        loop {
            let held: u64 = mails.values().map(|mail| mail.bytes).sum();
            if mails.len() < MAILS_MAX && held.saturating_add(bytes) <= BYTES_MAX {
                return Ok(());
            }
            let done = mails.iter().find(|(_, mail)| mail.state != MailState::Queued);
            let Some(id) = done.map(|(id, _)| id.clone()) else {
                let waiting = mails.len();
                return Err(format!("{waiting} mails of the site wait to be sent: no more fit"));
            };
            self.spool.remove(uid, &id);
            mails.remove(&id);
        }
    }

    /// Messages to send now, one of each of these sites, [`AT_ONCE`] in all; each counts as being
    /// sent until [`Self::ended`].
    pub(crate) fn due(&self, served: &[TenantUid]) -> Vec<Due> {
        let now = self.clock.now().unix_timestamp();
        let mut inner = self.lock();
        let after = inner.last.map_or(0, |last| served.partition_point(|uid| *uid <= last));
        let (before, rest) = served.split_at(after);
        let mut due = Vec::new();
        for uid in rest.iter().chain(before) {
            if inner.sending.len() >= AT_ONCE {
                break;
            }
            if inner.sending.contains_key(uid) {
                continue;
            }
            let mails = inner.boxes.get(uid).into_iter().flatten();
            let mut ready = mails.filter(|(_, mail)| mail.state == MailState::Queued);
            let Some((id, mail)) = ready.find(|(_, mail)| mail.next <= now) else { continue };
            let waiting = mail.recipients.iter().filter(|one| one.state == MailState::Queued);
            let id = id.clone();
            due.push(Due {
                uid: *uid,
                id: id.clone(),
                envelope: mail.envelope.clone(),
                to: waiting.map(|one| one.address.clone()).collect(),
            });
            inner.sending.insert(*uid, id);
            inner.last = Some(*uid);
        }
        due
    }

    /// The text of a message.
    pub(crate) fn read(&self, uid: TenantUid, id: &str) -> io::Result<Vec<u8>> {
        self.spool.read(uid, id)
    }

    /// Notes what became of a message; what it is now.
    pub(crate) fn ended(&self, due: &Due, result: Result<Outcome, SmtpError>) -> Option<Mail> {
        let now = self.clock.now().unix_timestamp();
        let mut inner = self.lock();
        let Inner { boxes, counts, sending, untold, tallies, .. } = &mut *inner;
        sending.remove(&due.uid);
        let mail = boxes.get_mut(&due.uid)?.get_mut(&due.id)?;
        mail.judge(result, now);
        let counts = counts.entry(due.uid).or_default();
        match mail.state {
            MailState::Sent => {
                tallies.sent += 1;
                counts.total(|totals| totals.sent += 1);
            }
            MailState::Bounced => {
                tallies.bounced += 1;
                counts.total(|totals| totals.bounced += 1);
                mail.untold = true;
                untold.insert((due.uid, due.id.clone()));
            }
            MailState::Queued | MailState::Kept => tallies.delayed += 1,
        }
        if let Err(error) = self.spool.note(due.uid, &due.id, mail) {
            tracing::warn!(tenant_id = %due.uid, %error, "what became of a mail is not kept");
        }
        if mail.state == MailState::Sent {
            self.spool.remove_text(due.uid, &due.id);
        }
        Some(mail.clone())
    }

    /// Removes what is older than it is kept.
    pub(crate) fn sweep(&self) {
        let before = self.clock.now().unix_timestamp() - KEPT_S;
        for (uid, mails) in &mut self.lock().boxes {
            mails.retain(|id, mail| {
                let stays = mail.state == MailState::Queued || mail.at >= before;
                if !stays {
                    self.spool.remove(*uid, id);
                }
                stays
            });
        }
    }

    /// Removes all of a site that is erased.
    pub(crate) fn forget(&self, uid: TenantUid) {
        let mut inner = self.lock();
        inner.boxes.remove(&uid);
        inner.counts.remove(&uid);
        inner.limited.remove(&uid);
        self.spool.remove_all(uid);
    }

    /// Writes counts that the disk does not have yet.
    pub(crate) fn write_counts(&self) {
        for (uid, counts) in &mut self.lock().counts {
            if counts.is_new
                && let Err(error) = self.spool.put_counts(*uid, counts)
            {
                tracing::warn!(tenant_id = %uid, %error, "counts of mail can't be kept");
            }
        }
    }

    /// What became of all sites' mail since this process began, and how much waits.
    pub(crate) fn tallies(&self) -> MailTallies {
        let inner = self.lock();
        let all = inner.boxes.values().flat_map(|mails| mails.values());
        let waiting = all.filter(|mail| mail.state == MailState::Queued).count() as u64;
        MailTallies { waiting, ..inner.tallies }
    }

    /// A site's mail, the newest first.
    pub(crate) fn list(&self, uid: TenantUid, tier: Tier) -> MailListView {
        let now = self.clock.now().unix_timestamp();
        let mut inner = self.lock();
        let counts = inner.counts.get_mut(&uid);
        let (used, totals) =
            counts.map_or_else(Default::default, |counts| (counts.used(now), counts.totals));
        let (hour, day) = limits(tier);
        let mails = inner.boxes.get(&uid).into_iter().flatten().rev();
        MailListView {
            items: mails.map(|(id, mail)| mail.view(id)).collect(),
            last_hour: MailUseView { used: used.0, limit: hour },
            last_day: MailUseView { used: used.1, limit: day },
            totals,
        }
    }

    /// One of them with its text, as long as it is here.
    pub(crate) fn show(&self, uid: TenantUid, id: &str) -> Option<MailView> {
        let mut view = self.lock().boxes.get(&uid)?.get(id)?.view(id);
        let text = self.read(uid, id).ok();
        view.message = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        Some(view)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether a site may have so many recipients more; the refusal is told as an event, too.
    fn check_limits(&mut self, from: &From, wanted: u32, at: i64) -> Result<(), String> {
        let used = self.counts.entry(from.uid).or_default().used(at);
        let (hour, day) = limits(from.tier);
        for (used, limit, span) in [(used.0, hour, "hour"), (used.1, day, "day")] {
            if used.saturating_add(wanted) > limit {
                let words = format!(
                    "the site has sent to {used} recipients within the last {span}, {limit} are \
                     allowed in its tier"
                );
                self.limit_met(from.uid, at, &words);
                return Err(words);
            }
        }
        Ok(())
    }
}

impl Mail {
    fn judge(&mut self, result: Result<Outcome, SmtpError>, now: i64) {
        self.attempts = self.attempts.saturating_add(1);
        self.said = result.as_ref().err().map(ToString::to_string);
        let is_over = now - self.since.max(self.at) > PATIENCE_S;
        let is_for_good = result.as_ref().is_err_and(SmtpError::is_for_good);
        let mut outcome = result.unwrap_or_default().into_iter();
        for one in self.recipients.iter_mut().filter(|one| one.state == MailState::Queued) {
            let said = match outcome.next() {
                Some(Ok(())) => {
                    one.state = MailState::Sent;
                    continue;
                }
                Some(Err(reply)) => {
                    if reply.is_for_good() {
                        one.state = MailState::Bounced;
                    }
                    reply.to_string()
                }
                None => self.said.clone().unwrap_or_default(),
            };
            one.said = Some(said);
            if is_for_good || is_over {
                one.state = MailState::Bounced;
            }
        }
        let has = |state| self.recipients.iter().any(|one| one.state == state);
        self.state = match () {
            () if has(MailState::Queued) => MailState::Queued,
            () if has(MailState::Bounced) => MailState::Bounced,
            () => MailState::Sent,
        };
        let doublings = (self.attempts - 1).min(20);
        self.next = now + (RETRY_FIRST_S << doublings).min(RETRY_MAX_S);
    }

    fn view(&self, id: &str) -> MailView {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
        MailView {
            id: id.to_owned(),
            state: self.state,
            at: at(self.at).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            envelope_from: self.envelope.clone(),
            from: self.from.clone(),
            subject: self.subject.clone(),
            bytes: self.bytes,
            recipients: self.recipients.clone(),
            attempts: self.attempts,
            next_attempt_at: at(self.next).filter(|_| self.state == MailState::Queued),
            said: self.said.clone(),
            message: None,
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
