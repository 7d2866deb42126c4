//! Whether the mail server would take the sites' mail: as far as that can be seen without sending any.

use std::time::Duration;

use aipress_kit::smtp;
use aipress_kit::smtp::SmtpUser;
use aipress_shard::MailSettings;

use crate::doctor::Check;
use crate::settings::Settings;

/// Time to connect, greet and sign in: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ports from here on may be taken by any process of the machine, a site's PHP among them.
const FREE_FOR_ALL: u16 = 1024;

/// One check.
pub(super) async fn check(settings: &Settings) -> Check {
    const NAME: &str = "mail";
    if settings.mail.server.is_none() {
        return Check::good(NAME, "stays in the platform: no `mail.server` is set");
    }
    let mail = match settings.mail.for_shard(&settings.base_domain) {
        Ok(mail) => mail,
        Err(error) => return Check::bad(NAME, error.to_string(), "see docs/mail.md"),
    };
    match look(&mail).await {
        Ok(words) => Check::good(NAME, words),
        // Not bad: what sites send waits for two days.
        Err((found, remedy)) => Check::warning(NAME, found, remedy),
    }
}

async fn look(mail: &MailSettings) -> Result<String, (String, &'static str)> {
    let Some(server) = &mail.server else { return Ok(String::new()) };
    let user = match (&mail.user, &mail.password_file) {
        (Some(name), Some(file)) => {
            let password = std::fs::read_to_string(file).map_err(|error| {
                let found = format!("the password of `mail.user` is not read: {error}");
                (found, "`mail.passwordFile` names a file that root reads")
            })?;
            Some(SmtpUser { name: name.clone(), password: password.trim_end().to_owned() })
        }
        _ => None,
    };
    let looked = smtp::probe(server, user.as_ref(), &mail.trust, &mail.domain, PATIENCE).await;
    let is_private = looked.map_err(|error| {
        let remedy = "see the settings `mail.*` (docs/mail.md); sites' mail waits for two days";
        (error.to_string(), remedy)
    })?;
    let name = format!("{}:{}", server.host, server.port);
    if !is_private && server.port >= FREE_FOR_ALL {
        return Err((
            format!("{name} takes mail without TLS, at a port that any process here could take"),
            "use TLS, or a port below 1024: a site could answer when the server is away",
        ));
    }
    let how = if is_private { "with TLS" } else { "without TLS, on this machine" };
    let who = user.map_or_else(String::new, |user| format!(", signed in as {}", user.name));
    Ok(format!("{name} takes mail, {how}{who}"))
}
