//! Hands the sites' mail to the mail server: again and again while it does not take it, and not for
//! a site that is suspended.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::LogSource;
use aipress_api::Severity;
use aipress_api::mail::MailState;
use aipress_kit::smtp;
use aipress_kit::smtp::Envelope;
use aipress_kit::smtp::Outcome;
use aipress_kit::smtp::SmtpError;
use aipress_kit::smtp::SmtpUser;
use aipress_kit::tasks;
use aipress_logs::NewLine;
use aipress_types::TenantUid;
use tokio_util::sync::CancellationToken;

use crate::mail::Due;
use crate::plane::Plane;

/// Between two looks for what is to be sent.
const INTERVAL: Duration = Duration::from_millis(500);
/// Looks between two removals of what is old.
const SWEEP_LOOKS: u32 = 7200;
/// Looks between two writings of what was counted.
const WRITE_LOOKS: u32 = 60;
/// Addresses that a line of the log names.
const NAMED: usize = 5;

/// Sends until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, stop: CancellationToken) {
    let mut looks = 0_u32;
    loop {
        if looks.is_multiple_of(SWEEP_LOOKS) {
            plane.mails.sweep();
        }
        if looks.is_multiple_of(WRITE_LOOKS) {
            plane.mails.write_counts();
        }
        looks = looks.wrapping_add(1);
        if plane.mails.settings.server.is_some() {
            let tenants = plane.tenants.list();
            let served = tenants.iter().filter(|tenant| tenant.entry.is_served());
            let mut served: Vec<TenantUid> = served.map(|tenant| tenant.entry.intent.uid).collect();
            served.sort_unstable();
            for due in plane.mails.due(&served) {
                let (plane, stop) = (Arc::clone(&plane), stop.clone());
                tasks::spawn("shard-mail", async move {
                    tokio::select! {
                        // It is tried again by the next control plane.
                        () = stop.cancelled() => {}
                        () = deliver(&plane, due) => {}
                    }
                });
            }
        }
        tokio::select! {
            () = stop.cancelled() => {
                plane.mails.write_counts();
                return;
            }
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn deliver(plane: &Plane, due: Due) {
    let result = send(plane, &due).await;
    let Some(mail) = plane.mails.ended(&due, result) else { return };
    let said = |state| {
        let mut found = mail.recipients.iter().filter(move |one| one.state == state);
        found.find_map(|one| one.said.clone()).unwrap_or_default()
    };
    let to = due.to.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match due.to.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (severity, what) = match mail.state {
        MailState::Sent | MailState::Kept => (Severity::Info, "was delivered".to_owned()),
        MailState::Bounced => {
            (Severity::Error, format!("can't be delivered: {}", said(MailState::Bounced)))
        }
        MailState::Queued => {
            let words = format!("is not delivered yet: {}", said(MailState::Queued));
            (Severity::Warning, words)
        }
    };
    let message = format!("mail {} to {to}{more} {what}", due.id);
    plane.log_writer.push(due.uid.0, NewLine::new(LogSource::Mail, "shard", severity, message));
}

async fn send(plane: &Plane, due: &Due) -> Result<Outcome, SmtpError> {
    let failed = |what: &str, error: &std::io::Error| SmtpError::Failed(format!("{what}: {error}"));
    let settings = &plane.mails.settings;
    let Some(server) = &settings.server else {
        return Err(SmtpError::Failed("no mail server is set".to_owned()));
    };
    let user = match (&settings.user, &settings.password_file) {
        (Some(name), Some(file)) => {
            let password = tokio::fs::read_to_string(file).await;
            let password =
                password.map_err(|error| failed("read the password of mail.user", &error))?;
            Some(SmtpUser { name: name.clone(), password: password.trim_end().to_owned() })
        }
        _ => None,
    };
    let message = plane.mails.read(due.uid, &due.id).map_err(|error| failed("read it", &error))?;
    let envelope =
        Envelope { from: &due.envelope, to: &due.to, message: &message, hello: &settings.domain };
    smtp::send(server, user.as_ref(), &settings.trust, envelope).await
}
