//! Makes a message of what PHP's `mail()` was given. Pure. All of it is the tenant's: nothing that it
//! writes becomes a header or a recipient but what PHP's function allows, and what says who sent it
//! is the platform's.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Recipients of one message.
pub(crate) const RECIPIENTS_MAX: usize = 50;
/// Longest address, in bytes (RFC 5321 section 4.5.3.1.3).
const ADDRESS_MAX: usize = 254;
/// Longest line of a header, in bytes (RFC 5322 section 2.1.1).
const LINE_MAX: usize = 998;
/// Headers that are the platform's, or the last server's: a tenant's are left out.
const OURS: &[&str] = &["return-path", "received", "bcc", "to", "subject", "dkim-signature"];
/// Headers that a message has once at most (RFC 5322 section 3.6, RFC 2045): the first counts.
const ONCE: &[&str] = &[
    "date",
    "message-id",
    "sender",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];
/// What the headers by which the platform names the sender begin with.
const MARK: &str = "x-aipress-";

/// What `mail()` was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) to: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) headers: Vec<u8>,
}

/// Who sends, as the platform knows.
#[derive(Debug, Clone)]
pub(crate) struct Sender<'a> {
    /// The message's id.
    pub(crate) id: &'a str,
    /// The site's host without a port.
    pub(crate) host: &'a str,
    /// The tenant's uid.
    pub(crate) tenant: &'a str,
    /// The shard.
    pub(crate) shard: &'a str,
    pub(crate) now: OffsetDateTime,
}

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Composed {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) message: Vec<u8>,
}

/// Makes the message; the error is for the site's people.
pub(crate) fn compose(given: &Given, sender: &Sender<'_>) -> Result<Composed, String> {
    let to = one_line(&given.to, "recipient")?;
    let subject = one_line(&given.subject, "subject")?;
    let headers = headers(&given.headers)?;
    let mut recipients = addresses(&to)?;
    for (name, value) in &headers {
        if matches!(name.to_ascii_lowercase().as_str(), "cc" | "bcc") {
            recipients.extend(addresses(value)?);
        }
    }
    recipients.dedup();
    if recipients.is_empty() {
        return Err("it has no recipient".to_owned());
    }
    if recipients.len() > RECIPIENTS_MAX {
        let count = recipients.len();
        return Err(format!(
            "it has {count} recipients, {RECIPIENTS_MAX} are the most: send several"
        ));
    }
    let from = from(&headers, sender);
    let mut text = format!(
        "Received: from {tenant} by {shard} (AIPress) id {id}; {date}\r\n\
         X-AIPress-Tenant: {tenant}\r\nX-AIPress-Message: {id}\r\n",
        tenant = sender.tenant,
        shard = sender.shard,
        id = sender.id,
        date = date(sender.now),
    );
    let mut put = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\r\n"));
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if !has("Date") {
        put("Date", &date(sender.now));
    }
    if !has("Message-ID") {
        put("Message-ID", &format!("<{}@{}>", sender.id, sender.host));
    }
    put("From", &from);
    put("To", &to);
    put("Subject", &subject);
    let mut seen = BTreeSet::new();
    for (name, value) in &headers {
        let lower = name.to_ascii_lowercase();
        let is_again = ONCE.contains(&lower.as_str()) && !seen.insert(lower.clone());
        let is_ours = lower == "from" || lower == "cc" || OURS.contains(&lower.as_str());
        if !is_again && !is_ours && !lower.starts_with(MARK) {
            put(name, value);
        }
    }
    let copies = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Cc"));
    let copies: Vec<&str> = copies.map(|(_, value)| value.trim_matches([' ', ','])).collect();
    if !copies.is_empty() {
        put("Cc", &copies.join(",\r\n "));
    }
    text.push_str("\r\n");
    let mut message = text.into_bytes();
    message.extend_from_slice(&given.message);
    let from = addresses(&from)?.into_iter().next().unwrap_or_default();
    Ok(Composed { from, to: recipients, subject, message })
}

/// The sender that was asked for. WordPress says `wordpress@` and the host; on names of this machine
/// that is no address that anybody takes, nor is one without a domain.
fn from(headers: &[(String, String)], sender: &Sender<'_>) -> String {
    let ours = format!("wordpress@{}", sender.host);
    let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("From"));
    let Some((_, value)) = found else { return ours };
    match addresses(value).ok().and_then(|found| found.into_iter().next()) {
        None => ours,
        Some(address) => {
            let domain = address.rsplit('@').next().unwrap_or_default();
            let is_nowhere = matches!(domain, "localhost" | "localhost.localdomain" | "127.0.0.1");
            if is_nowhere { value.replace(&address, &ours) } else { value.clone() }
        }
    }
}

/// A value without line ends: whoever brings one wants another header.
fn one_line(bytes: &[u8], what: &str) -> Result<String, String> {
    let text = String::from_utf8_lossy(bytes);
    // Folded, as PHPMailer folds a long subject (RFC 5322 section 2.2.3).
    let text = text.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(format!("its {what} has a line break or a control character"));
    }
    if text.len() > LINE_MAX * 8 {
        return Err(format!("its {what} is too long"));
    }
    Ok(text.trim().to_owned())
}

/// Additional headers, each on a line, or folded.
fn headers(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.trim_matches('\n').split('\n') {
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = found.last_mut()
        {
            value.push_str("\r\n ");
            value.push_str(&field(line.trim())?);
            continue;
        }
        if line.is_empty() && text.trim().is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':').ok_or("a header of it is none, or is empty")?;
        let is_name = |byte: u8| (33..=126).contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err("the name of a header of it is none".to_owned());
        }
        found.push((name.to_owned(), field(value.trim())?));
    }
    Ok(found)
}

fn field(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|letter| !letter.is_control() || letter == '\t');
    if is_plain && text.len() <= LINE_MAX {
        return Ok(text.to_owned());
    }
    Err("a header of it is too long, or has a control character".to_owned())
}

/// Addresses of a list: `a@b, "C, D" <c@d>`.
pub(crate) fn addresses(list: &str) -> Result<Vec<String>, String> {
    let (mut found, mut one) = (Vec::new(), String::new());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for letter in list.replace("\r\n ", " ").chars() {
        if letter == ',' && !is_quoted {
            found.extend(address(&std::mem::take(&mut one))?);
            continue;
        }
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        one.push(letter);
    }
    found.extend(address(&one)?);
    Ok(found)
}

fn address(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bare = match (text.rfind('<'), text.ends_with('>')) {
        (Some(begin), true) => &text[begin + 1..text.len() - 1],
        _ => text,
    };
    let wrong = || {
        let shown: String = bare.chars().take(100).collect();
        format!("`{shown}` is no address that mail can be sent to")
    };
    let (local, domain) = bare.rsplit_once('@').ok_or_else(wrong)?;
    let is_local = |byte: u8| byte.is_ascii_graphic() && !b"<>()[]\\,;:\"@".contains(&byte);
    let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_well = !local.is_empty()
        && local.bytes().all(is_local)
        && domain.bytes().all(is_domain)
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-'))
        && bare.len() <= ADDRESS_MAX;
    if is_well { Ok(Some(bare.to_owned())) } else { Err(wrong()) }
}

fn date(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc2822).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn made(to: &str, subject: &str, headers: &str) -> Result<Composed, String> {
        let given = Given {
            to: to.into(),
            subject: subject.into(),
            message: b"Hello.\n".to_vec(),
            headers: headers.into(),
        };
        let sender = Sender {
            id: "m1",
            host: "bakery.example.org",
            tenant: "f47ac10b",
            shard: "aipress-shard-001",
            now: datetime!(2026-11-21 12:00 UTC),
        };
        compose(&given, &sender)
    }

    fn text(composed: &Composed) -> String {
        String::from_utf8(composed.message.clone()).unwrap()
    }

    #[test]
    fn a_bare_mail_gets_what_a_message_needs() {
        let made = made("ann@example.org", "Hi", "").unwrap();
        assert_eq!(
            (made.from.as_str(), made.to.as_slice()),
            ("wordpress@bakery.example.org", &["ann@example.org".to_owned()][..])
        );
        let text = text(&made);
        for line in [
            "Received: from f47ac10b by aipress-shard-001 (AIPress) id m1; Sat, 21 Nov 2026 12:00:00 +0000\r\n",
            "X-AIPress-Tenant: f47ac10b\r\n",
            "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n",
            "Message-ID: <m1@bakery.example.org>\r\n",
            "From: wordpress@bakery.example.org\r\nTo: ann@example.org\r\nSubject: Hi\r\n\r\nHello.\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn headers_of_the_site_stay_and_copies_are_recipients() {
        let headers = "From: \"Bakery, best\" <shop@example.org>\r\nCc: c@x.org\r\nBcc: b@x.org,\r\n \
                       d@x.org\r\nMessage-ID: <own@x>\r\nDate: then\r\nReceived: by nobody\r\n\
                       X-AIPress-Tenant: another\r\nReturn-Path: <evil@x.org>\r\nContent-Type: text/html";
        let made = made("Ann <ann@example.org>", "Hi", headers).unwrap();
        assert_eq!(made.from, "shop@example.org");
        assert_eq!(made.to, ["ann@example.org", "c@x.org", "b@x.org", "d@x.org"]);
        let text = text(&made);
        assert!(text.contains("Message-ID: <own@x>\r\n") && text.contains("Date: then\r\n"));
        assert!(text.contains("Content-Type: text/html\r\n") && text.contains("Cc: c@x.org"));
        for gone in ["b@x.org", "nobody", "another", "evil"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
    }

    #[test]
    fn what_a_message_has_once_it_has_once() {
        let headers = "Date: then\r\ndate: now\r\nMessage-ID: <a@x>\r\nMessage-Id: <b@x>\r\n\
                       From: a@x.org\r\nFrom: evil@x.org\r\nReply-To: r@x.org\r\nReply-To: s@x.org\r\n\
                       Content-Type: text/html\r\ncontent-type: text/plain\r\nCc: c@x.org,\r\n\
                       cc: d@x.org\r\nX-Own: 1\r\nX-Own: 2\r\nBcc: b@x.org\r\nBCC: e@x.org\r\n\
                       To: other@x.org\r\nSubject: another";
        let made = made("ann@example.org", "Hi", headers).unwrap();
        assert_eq!(made.to, ["ann@example.org", "c@x.org", "d@x.org", "b@x.org", "e@x.org"]);
        let text = text(&made);
        let head = text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        for name in
            ["date", "message-id", "from", "to", "subject", "reply-to", "cc", "content-type"]
        {
            let lines = head.lines().filter(|line| line.starts_with(&format!("{name}:")));
            assert_eq!(lines.count(), 1, "{name}: {text}");
        }
        assert!(
            text.contains("Cc: c@x.org,\r\n d@x.org\r\n") && text.contains("X-Own: 2"),
            "{text}"
        );
        for gone in ["evil@", "s@x.org", "b@x.org", "e@x.org", "other@", "another"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
    }

    #[test]
    fn a_sender_of_this_machine_becomes_the_sites() {
        for from in ["wordpress@localhost", "WordPress <wordpress@localhost>"] {
            let made = made("a@x.org", "", &format!("From: {from}")).unwrap();
            assert_eq!(made.from, "wordpress@bakery.example.org");
        }
    }

    #[test]
    fn nothing_brings_headers_or_recipients_of_its_own() {
        for (to, subject, headers) in [
            ("a@x.org\r\nBcc: b@x.org", "s", ""),
            ("a@x.org\nBcc: b@x.org", "s", ""),
            ("a@x.org", "s\r\nBcc: b@x.org", ""),
            ("a@x.org", "s\rBcc: b@x.org", ""),
            ("a@x.org", "s\0", ""),
            ("a@x.org", "s", "X: y\r\n\r\nanother body"),
            ("a@x.org", "s", "X: y\rBcc: b@x.org"),
            ("a@x.org", "s", "no header"),
            ("a@x.org", "s", "Bad name: x"),
            ("a@x.org>\r\nRCPT TO:<b@x.org", "s", ""),
            ("<a@x.org> SIZE=1 <b c@x.org>", "s", ""),
            ("a", "s", ""),
            ("", "s", ""),
            ("ä@x.org", "s", ""),
            ("a@-x.org", "s", ""),
            ("a@x..org", "s", ""),
        ] {
            assert!(made(to, subject, headers).is_err(), "{to:?} {subject:?} {headers:?}");
        }
        let many: Vec<String> = (0..51).map(|number| format!("a{number}@x.org")).collect();
        assert!(made(&many.join(","), "s", "").unwrap_err().contains("50"));
        // Folded as PHPMailer does: one subject still.
        assert_eq!(made("a@x.org", "one\r\n two", "").unwrap().subject, "one two");
    }
}
