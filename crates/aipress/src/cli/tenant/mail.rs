//! `aipress tenant mail`.

use std::fmt::Write;

use aipress_api::client::ApiClient;
use aipress_api::mail::MailListView;
use aipress_api::mail::MailView;

use crate::args::Output;
use crate::exit::Failure;
use crate::output;

/// Shows what a site sent, or one of it.
pub(super) async fn run(
    client: &ApiClient,
    tenant: &str,
    id: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    match id {
        None => output::print(output, &client.tenant_mail(tenant).await?, list)?,
        Some(id) => output::print(output, &client.tenant_mail_show(tenant, &id).await?, one)?,
    }
    Ok(())
}

fn list(found: &MailListView) -> String {
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
    use aipress_api::mail::MailState;
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
        let all = MailListView { items: vec![mail], last_hour: used, last_day: used };
        let shown = list(&all);
        assert!(shown.contains("m1  ") && shown.contains("1 of 100") && !shown.contains('\u{1b}'));
    }
}
