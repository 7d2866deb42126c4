//! Limits, retries, bounces, and what a new process finds.

use super::*;
use aipress_api::internal::MailChange;
use aipress_api::internal::MailNewsKind;
use aipress_api::internal::MailVerb;
use aipress_api::mail::MailSkipReason;
use aipress_kit::smtp::Reply;
use time::macros::datetime;

const START: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

struct Post {
    dir: tempfile::TempDir,
    clock: Clock,
    server: Option<SmtpServer>,
}

impl Post {
    fn new(server: Option<&str>) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Clock::fixed(START),
            server: server.map(|server| server.parse().unwrap()),
        }
    }

    fn mails(&self) -> Mails {
        let settings = MailSettings {
            server: self.server.clone(),
            user: None,
            password_file: None,
            trust: Trust::System,
            domain: "example.com".to_owned(),
        };
        Mails::open(self.dir.path().join("mail"), settings, self.clock.clone()).unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.clock.set(self.clock.now() + time::Duration::seconds(seconds));
    }
}

fn from() -> From {
    From {
        uid: TenantUid(uuid::Uuid::new_v4()),
        tier: Tier::Bronze,
        host: "bakery.localhost".to_owned(),
        shard: "aipress-shard-001".to_owned(),
    }
}

fn given(to: &str) -> Given {
    Given {
        to: to.into(),
        subject: b"Hi".to_vec(),
        message: b"Hello.\n".to_vec(),
        headers: Vec::new(),
    }
}

fn refused(code: u16) -> Result<Outcome, SmtpError> {
    Err(SmtpError::Refused(Reply { code, text: "words".to_owned() }))
}

#[test]
fn without_a_server_mail_stays_and_is_read() {
    let post = Post::new(None);
    let (mails, from) = (post.mails(), from());
    let id = mails.take(&from, &given("ann@example.org")).unwrap();
    assert!(mails.due(&[from.uid]).is_empty());
    drop(mails);
    let mails = post.mails();
    let shown = mails.show(from.uid, &id).unwrap();
    assert_eq!((shown.state, shown.from.as_str()), (MailState::Kept, "wordpress@bakery.localhost"));
    assert_eq!(shown.envelope_from, format!("site-{}@example.com", from.uid.hex()));
    assert!(shown.message.unwrap().ends_with("\r\n\r\nHello.\n"));
    assert!(mails.show(TenantUid(uuid::Uuid::new_v4()), &id).is_none());
    post.pass(KEPT_S + 1);
    mails.sweep();
    assert!(mails.list(from.uid, Tier::Bronze).items.is_empty());
}

#[test]
fn who_sends_too_much_is_refused_and_nobody_else() {
    let post = Post::new(None);
    let (mails, spammer, other) = (post.mails(), from(), from());
    let many: Vec<String> = (0..50).map(|number| format!("a{number}@x.org")).collect();
    for _ in 0..2 {
        mails.take(&spammer, &given(&many.join(","))).unwrap();
    }
    let error = mails.take(&spammer, &given("a@x.org")).unwrap_err();
    assert!(error.contains("100 are allowed") && error.contains("hour"), "{error}");
    mails.take(&other, &given("a@x.org")).unwrap();
    // A new process knows it still; another hour has another limit, until the day's is met.
    let mails = post.mails();
    assert!(mails.take(&spammer, &given("a@x.org")).is_err());
    for _ in 0..4 {
        post.pass(HOUR_S + 1);
        for _ in 0..2 {
            mails.take(&spammer, &given(&many.join(","))).unwrap();
        }
    }
    post.pass(HOUR_S + 1);
    let error = mails.take(&spammer, &given("a@x.org")).unwrap_err();
    assert!(error.contains("500 are allowed") && error.contains("day"), "{error}");
    post.pass(DAY_S);
    mails.take(&spammer, &given("a@x.org")).unwrap();
}

#[test]
fn it_is_tried_again_until_it_is_over() {
    let post = Post::new(Some("smtp://127.0.0.1:1"));
    let (mails, from) = (post.mails(), from());
    let id = mails.take(&from, &given("a@x.org")).unwrap();
    assert!(mails.due(&[]).is_empty(), "a suspended site's mail waits");
    let mut tries = 0;
    while let MailState::Queued = mails.show(from.uid, &id).unwrap().state {
        let due = mails.due(&[from.uid]);
        assert!(mails.due(&[from.uid]).is_empty(), "one at a time");
        for due in &due {
            tries += 1;
            mails.ended(
                due,
                if tries == 1 { refused(450) } else { Err(SmtpError::Failed("x".into())) },
            );
        }
        post.pass(30);
    }
    let shown = mails.show(from.uid, &id).unwrap();
    assert_eq!(shown.state, MailState::Bounced);
    assert!((10..40).contains(&tries), "{tries} tries in two days");
    assert_eq!(shown.recipients[0].said.as_deref(), Some("x"));
    assert!(shown.message.is_some(), "what came back is kept");
}

#[test]
fn a_refusal_for_good_bounces_at_once_and_only_whom_it_is_about() {
    let post = Post::new(Some("smtp://127.0.0.1:1"));
    let (mails, from) = (post.mails(), from());
    let id = mails.take(&from, &given("a@x.org, b@x.org, c@x.org")).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    let reply = |code| Err(Reply { code, text: "no".to_owned() });
    mails.ended(&due, Ok(vec![Ok(()), reply(550), reply(451)]));
    let states = |mails: &Mails| {
        let shown = mails.show(from.uid, &id).unwrap();
        shown.recipients.iter().map(|one| one.state).collect::<Vec<_>>()
    };
    assert_eq!(states(&mails), [MailState::Sent, MailState::Bounced, MailState::Queued]);
    // A new process goes on with whom is left.
    let mails = post.mails();
    post.pass(RETRY_FIRST_S);
    let due = mails.due(&[from.uid]).remove(0);
    assert_eq!(due.to, ["c@x.org"]);
    let mail = mails.ended(&due, Ok(vec![Ok(())])).unwrap();
    assert_eq!(mail.state, MailState::Bounced, "one of them came back");
    let id = mails.take(&from, &given("a@x.org")).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    mails.ended(&due, refused(554));
    assert_eq!(mails.show(from.uid, &id).unwrap().state, MailState::Bounced);
}

#[test]
fn what_was_sent_leaves_no_text_and_an_erased_site_nothing() {
    let post = Post::new(Some("smtp://127.0.0.1:1"));
    let (mails, from) = (post.mails(), from());
    let id = mails.take(&from, &given("a@x.org")).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    mails.ended(&due, Ok(vec![Ok(())]));
    let shown = mails.show(from.uid, &id).unwrap();
    assert_eq!((shown.state, shown.message), (MailState::Sent, None));
    mails.take(&from, &given("b@x.org")).unwrap();
    mails.forget(from.uid);
    assert_eq!(std::fs::read_dir(post.dir.path().join("mail")).unwrap().count(), 0);
    assert!(mails.due(&[from.uid]).is_empty());
}

#[test]
fn what_is_half_written_is_no_mail() {
    let post = Post::new(None);
    let from = from();
    let id = post.mails().take(&from, &given("a@x.org")).unwrap();
    let folder = post.dir.path().join("mail").join(from.uid.to_string());
    std::fs::write(folder.join("0-half.eml"), b"x").unwrap();
    std::fs::write(folder.join(".0-half.json.1-1.new"), b"x").unwrap();
    let mails = post.mails();
    let items = mails.list(from.uid, Tier::Bronze).items;
    assert_eq!(items.iter().map(|item| &item.id).collect::<Vec<_>>(), [&id]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "it, what is known of it, counts");
}

#[test]
fn many_make_room_by_the_oldest() {
    let post = Post::new(None);
    let (mails, from) = (post.mails(), from());
    let first = mails.take(&from, &given("a@x.org")).unwrap();
    {
        let mut inner = mails.lock();
        let mails = inner.boxes.get_mut(&from.uid).unwrap();
        let one = mails[&first].clone();
        for number in 0..MAILS_MAX - 1 {
            mails.insert(format!("f{number:05}"), one.clone());
        }
    }
    mails.take(&from, &given("a@x.org")).unwrap();
    let list = mails.list(from.uid, Tier::Bronze);
    assert_eq!(list.items.len(), MAILS_MAX);
    assert!(list.items.iter().all(|item| item.id != first));
    for mail in mails.lock().boxes.get_mut(&from.uid).unwrap().values_mut() {
        mail.state = MailState::Queued;
    }
    assert!(mails.take(&from, &given("a@x.org")).unwrap_err().contains("wait to be sent"));
}

fn change(verb: MailVerb, ids: &[&str]) -> MailChange {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    MailChange { verb, all: ids.is_empty(), ids, is_rehearsal: false }
}

#[test]
fn what_stays_here_is_sent_once_a_server_is_set_and_somebody_wants_it() {
    let mut post = Post::new(None);
    let from = from();
    let mails = post.mails();
    let id = mails.take(&from, &given("a@x.org")).unwrap();
    let retry = change(MailVerb::Retry, &[]);
    assert!(mails.change(from.uid, &retry).unwrap_err().contains("mail.server"));
    post.server = Some("smtp://127.0.0.1:1".parse().unwrap());
    let mails = post.mails();
    // Days later: it is new mail to the one that tries.
    post.pass(PATIENCE_S + 1);
    assert!(mails.due(&[from.uid]).is_empty(), "nothing is sent by itself");
    let rehearsal = MailChange { is_rehearsal: true, ..retry.clone() };
    assert_eq!(mails.change(from.uid, &rehearsal).unwrap().items, [id.as_str()]);
    assert!(mails.due(&[from.uid]).is_empty(), "a rehearsal changes nothing");
    assert_eq!(mails.change(from.uid, &retry).unwrap().items, [id.as_str()]);
    let due = post.mails().due(&[from.uid]);
    assert_eq!(due[0].to, ["a@x.org"], "a new process knows it, too");
    let due = mails.due(&[from.uid]).remove(0);
    let mail = mails.ended(&due, refused(450)).unwrap();
    assert_eq!((mail.state, mail.attempts), (MailState::Queued, 1), "two days from now");
    // What waits four hours is tried now; what was sent can't be.
    mails.change(from.uid, &change(MailVerb::Retry, &[&id])).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    mails.ended(&due, Ok(vec![Ok(())]));
    let done = mails.change(from.uid, &change(MailVerb::Retry, &[&id, "none"])).unwrap();
    let reasons: Vec<_> = done.skipped.iter().map(|one| one.reason).collect();
    assert_eq!(
        (done.items.len(), reasons),
        (0, vec![MailSkipReason::Sent, MailSkipReason::Unknown])
    );
    assert_eq!(mails.change(from.uid, &retry).unwrap(), Default::default());
    let other = mails.change(TenantUid(uuid::Uuid::new_v4()), &change(MailVerb::Delete, &[&id]));
    assert_eq!(other.unwrap().skipped[0].reason, MailSkipReason::Unknown, "another site's");
}

#[test]
fn a_retry_goes_to_whom_it_came_back_from_and_removed_mail_is_not_sent() {
    let post = Post::new(Some("smtp://127.0.0.1:1"));
    let (mails, from) = (post.mails(), from());
    let id = mails.take(&from, &given("a@x.org, b@x.org")).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    // While it is on its way nothing of it changes under who sends it.
    mails.change(from.uid, &change(MailVerb::Retry, &[&id])).unwrap();
    let reply = Err(Reply { code: 550, text: "no".to_owned() });
    mails.ended(&due, Ok(vec![Ok(()), reply.clone()]));
    assert_eq!(mails.show(from.uid, &id).unwrap().state, MailState::Bounced);
    mails.change(from.uid, &change(MailVerb::Retry, &[&id])).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    assert_eq!(due.to, ["b@x.org"]);
    // Removed on its way: what comes of it is nobody's.
    mails.change(from.uid, &change(MailVerb::Delete, &[&id])).unwrap();
    assert!(mails.read(from.uid, &id).is_err() && mails.ended(&due, Ok(vec![Ok(())])).is_none());
    mails.take(&from, &given("c@x.org")).unwrap();
    assert_eq!(mails.change(from.uid, &change(MailVerb::Delete, &[])).unwrap().items.len(), 1);
    assert!(mails.due(&[from.uid]).is_empty());
    assert!(post.mails().list(from.uid, Tier::Bronze).items.is_empty());
}

#[test]
fn what_was_counted_outlives_removed_mail_and_a_restart() {
    let post = Post::new(Some("smtp://127.0.0.1:1"));
    let (mails, from) = (post.mails(), from());
    let many: Vec<String> = (0..50).map(|number| format!("a{number}@x.org")).collect();
    for _ in 0..2 {
        mails.take(&from, &given(&many.join(","))).unwrap();
    }
    mails.change(from.uid, &change(MailVerb::Delete, &[])).unwrap();
    let mails = post.mails();
    assert!(mails.take(&from, &given("a@x.org")).unwrap_err().contains("100 are allowed"));
    mails.write_counts();
    let list = post.mails().list(from.uid, Tier::Bronze);
    assert_eq!((list.last_hour.used, list.totals.taken, list.totals.refused), (100, 2, 1));
    // Counts that are not there are those of the mail that is.
    post.pass(DAY_S);
    mails.take(&from, &given("a@x.org")).unwrap();
    let counts = post.dir.path().join("mail").join(from.uid.to_string()).join("counts");
    std::fs::write(&counts, b"nonsense").unwrap();
    assert_eq!(post.mails().list(from.uid, Tier::Bronze).last_hour.used, 1);
}

#[test]
fn what_came_back_is_told_until_it_was_heard_and_a_limit_once_an_hour() {
    let post = Post::new(Some("smtp://127.0.0.1:1"));
    let (mails, from) = (post.mails(), from());
    let id = mails.take(&from, &given("a@x.org")).unwrap();
    let due = mails.due(&[from.uid]).remove(0);
    assert!(mails.news().is_empty());
    mails.ended(&due, refused(550));
    assert_eq!(mails.news().len(), 1);
    // A new process tells it, too, as long as nobody has heard it.
    let mails = post.mails();
    let news = mails.news();
    assert_eq!((news[0].kind, news[0].mail.as_deref()), (MailNewsKind::Bounced, Some(id.as_str())));
    assert_eq!((news[0].to.len(), news[0].message.as_str()), (1, "the server said: 550 words"));
    mails.told(&news);
    assert!(mails.news().is_empty() && post.mails().news().is_empty());
    let many: Vec<String> = (0..50).map(|number| format!("a{number}@x.org")).collect();
    for _ in 0..4 {
        let _ = mails.take(&from, &given(&many.join(",")));
    }
    let news = mails.news();
    assert_eq!((news.len(), news[0].kind), (1, MailNewsKind::Limited));
    assert!(news[0].message.contains("100 are allowed"), "{}", news[0].message);
    mails.told(&news);
    let _ = mails.take(&from, &given(&many.join(",")));
    assert!(mails.news().is_empty(), "once an hour");
    let tallies = mails.tallies();
    assert_eq!((tallies.taken, tallies.refused, tallies.bounced), (1, 4, 0), "{tallies:?}");
}
