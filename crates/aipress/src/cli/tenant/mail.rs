//! `aipress tenant mail …`

use std::fmt::Write;

use aipress_api::client::ApiClient;
use aipress_api::mail::MailChangedView;
use aipress_api::mail::MailListView;
use aipress_api::mail::MailSelection;
use aipress_api::mail::MailState;
use aipress_api::mail::MailView;

use crate::args::MailPick;
use crate::args::MailVerb;
use crate::args::Output;
use crate::cli::confirm;
use crate::exit::Failure;
use crate::output;

/// Calls one verb.
pub(super) async fn run(client: &ApiClient, verb: MailVerb, output: Output) -> Result<(), Failure> {
    match verb {
        MailVerb::List { tenant } => {
            let found = client.tenant_mail(&tenant).await?;
            output::print(output, &found, |found| list(&tenant, found))?;
        }
        MailVerb::Show { tenant, id } => {
            output::print(output, &client.tenant_mail_show(&tenant, &id).await?, one)?;
        }
        MailVerb::Retry(pick) => change(client, "retry", pick, output).await?,
        MailVerb::Delete { pick, yes } => {
            if pick.all {
                let what = "removes all of the site's mail for good; what waits is not sent";
                let tenant = client.tenant_fetch(&pick.tenant).await?;
                confirm::type_name(&tenant.name, what, yes || client.is_dry_run())?;
            }
            change(client, "delete", pick, output).await?;
        }
    }
    Ok(())
}

async fn change(
    client: &ApiClient,
    verb: &str,
    pick: MailPick,
    output: Output,
) -> Result<(), Failure> {
    let wanted = MailSelection { ids: pick.ids, all: pick.all };
    let done = client.tenant_mail_change(&pick.tenant, verb, &wanted).await?;
    output::print(output, &done, |done| changed(&pick.tenant, verb, done))?;
    Ok(())
}

fn changed(tenant: &str, verb: &str, done: &MailChangedView) -> String {
    let mut text = String::new();
    for one in &done.skipped {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}  left as it is: {}", plain(&one.id), one.reason.as_str());
    }
    let count = match done.items.len() {
        1 => "1 mail".to_owned(),
        many => format!("{many} mails"),
    };
    text.push_str(&match verb {
        "retry" if !done.items.is_empty() => {
            format!(
                "{count} on the way: `aipress tenant mail list {tenant}` shows what comes of it\n"
            )
        }
        "retry" => "There is nothing to send again.\n".to_owned(),
        _ => format!("{count} removed\n"),
    });
    text
}

fn list(tenant: &str, found: &MailListView) -> String {
    let mut text = String::new();
    for mail in &found.items {
        let to: Vec<String> = mail.recipients.iter().map(|one| plain(&one.address)).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}  {}  {:<7}  {}  {}",
            mail.id,
            output::moment(mail.at),
            mail.state.as_str(),
            to.join(", "),
            plain(&mail.subject)
        );
    }
    if found.items.is_empty() {
        text.push_str("The site has sent no mail.\n");
    }
    let (hour, day) = (found.last_hour, found.last_day);
    let _ = writeln!(
        text,
        "Recipients: {} of {} in the last hour, {} of {} in the last day",
        hour.used, hour.limit, day.used, day.limit
    );
    let totals = found.totals;
    let _ = writeln!(
        text,
        "Messages since the site was made: {} taken, {} sent, {} came back, {} refused",
        totals.taken, totals.sent, totals.bounced, totals.refused
    );
    let is_stuck = |state| matches!(state, MailState::Bounced | MailState::Kept);
    if found.items.iter().any(|mail| is_stuck(mail.state)) {
        let _ = writeln!(
            text,
            "What came back or stays here is sent again by `aipress tenant mail retry {tenant} ID`"
        );
    }
    text
}

fn one(mail: &MailView) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_one(&mut text, mail);
    text
}

fn write_one(text: &mut String, mail: &MailView) -> std::fmt::Result {
    writeln!(text, "State     {}, {} attempts", mail.state.as_str(), mail.attempts)?;
    writeln!(text, "Sent      {}", output::moment(mail.at))?;
    writeln!(text, "From      {} (bounces to {})", plain(&mail.from), mail.envelope_from)?;
    for one in &mail.recipients {
        let said = one.said.as_deref().map(|said| format!(": {}", plain(said))).unwrap_or_default();
        writeln!(text, "To        {} {}{said}", plain(&one.address), one.state.as_str())?;
    }
    if let Some(at) = mail.next_attempt_at {
        writeln!(text, "Next try  {}", output::moment(at))?;
    }
    match &mail.message {
        Some(message) => {
            let lines = message.lines().map(plain).collect::<Vec<_>>().join("\n");
            writeln!(text, "\n{lines}")
        }
        None => writeln!(text, "Subject   {}\nIts text is no longer kept.", plain(&mail.subject)),
    }
}

/// Without what would move a terminal's cursor: the text is a site's.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::mail::MailRecipientView;
    use aipress_api::mail::MailSkipReason;
    use aipress_api::mail::MailSkippedView;
    use aipress_api::mail::MailTotalsView;
    use aipress_api::mail::MailUseView;
    use time::macros::datetime;

    #[test]
    fn what_came_back_is_shown_with_the_servers_words() {
        let recipient = MailRecipientView {
            address: "ann@example.org".to_owned(),
            state: MailState::Bounced,
            said: Some("550 no such user".to_owned()),
        };
        let mail = MailView {
            id: "m1".to_owned(),
            state: MailState::Bounced,
            at: datetime!(2026-11-21 08:00 UTC),
            envelope_from: "site-1@example.com".to_owned(),
            from: "wordpress@bakery.localhost".to_owned(),
            subject: "Hi \u{1b}[2J".to_owned(),
            bytes: 100,
            recipients: vec![recipient],
            attempts: 1,
            next_attempt_at: None,
            said: None,
            message: Some("Subject: Hi\n\nHello\u{1b}".to_owned()),
        };
        let shown = one(&mail);
        assert!(shown.contains("ann@example.org bounced: 550 no such user"), "{shown}");
        assert!(shown.contains("Subject: Hi\n\nHello \n") && !shown.contains('\u{1b}'));
        let used = MailUseView { used: 1, limit: 100 };
        let totals = MailTotalsView { bounced: 1, ..MailTotalsView::default() };
        let all = MailListView { items: vec![mail], last_hour: used, last_day: used, totals };
        let shown = list("bakery", &all);
        assert!(shown.contains("1 came back") && shown.contains("mail retry bakery"), "{shown}");
        assert!(shown.contains("m1  ") && shown.contains("1 of 100") && !shown.contains('\u{1b}'));
    }

    #[test]
    fn what_was_done_and_what_not_is_told() {
        let skipped = MailSkippedView { id: "m2".to_owned(), reason: MailSkipReason::Sent };
        let done = MailChangedView { items: vec!["m1".to_owned()], skipped: vec![skipped] };
        let shown = changed("bakery", "retry", &done);
        assert!(shown.contains("m2  left as it is: it was sent") && shown.contains("1 mail on"));
        assert_eq!(changed("bakery", "delete", &MailChangedView::default()), "0 mails removed\n");
    }
}
