//! Against servers that say what a test tells them to.

mod secure;
mod slow;

use tokio::io::BufReader;
use tokio::net::TcpListener;

use super::*;

/// A server that answers each line by its beginning; returns what it heard.
async fn serve(listener: TcpListener, says: &'static [(&'static str, &'static str)]) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut heard = String::new();
    stream.write_all(b"220 there\r\n").await.unwrap();
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return heard;
        }
        heard.push_str(&line);
        if in_data && line != ".\r\n" {
            continue;
        }
        let said = says.iter().find(|(begin, _)| line.starts_with(begin));
        let said = said.map_or("250 ok", |(_, said)| said);
        in_data = line.starts_with("DATA") && said.starts_with('3');
        if stream.write_all(format!("{said}\r\n").as_bytes()).await.is_err() {
            return heard;
        }
    }
}

async fn sent(
    says: &'static [(&'static str, &'static str)],
    user: Option<&SmtpUser>,
) -> (Result<Outcome, SmtpError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server: SmtpServer = format!("smtp://127.0.0.1:{port}").parse().unwrap();
    let serving = tokio::spawn(serve(listener, says));
    let to = ["a@example.org".to_owned(), "b@example.org".to_owned()];
    let envelope = Envelope {
        from: "t-1@example.com",
        to: &to,
        message: b"Subject: x\n\n.dot\nlone\rreturn\n",
        hello: "shard",
    };
    let outcome = send(&server, user, &Trust::System, envelope).await;
    (outcome, serving.await.unwrap())
}

#[tokio::test]
async fn a_message_arrives_as_it_is() {
    let (outcome, heard) = sent(&[("DATA", "354 go")], None).await;
    assert_eq!(outcome.unwrap(), [Ok(()), Ok(())]);
    let expected = "EHLO shard\r\nMAIL FROM:<t-1@example.com>\r\nRCPT TO:<a@example.org>\r\n\
                    RCPT TO:<b@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\nlonereturn\r\n\
                    .\r\nQUIT\r\n";
    assert_eq!(heard, expected);
}

#[test]
fn no_line_is_too_long_and_none_ends_the_message_early() {
    let long =
        [b"X: ".to_vec(), b"a".repeat(3000), b"\n..\n.\r\n\0.\n\r.\r\n.\r\r\n".to_vec()].concat();
    let text = String::from_utf8(stuffed(&long)).unwrap();
    assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));
    assert_eq!(text.matches('a').count(), 3000);
    assert!(
        text.ends_with("a\r\n...\r\n..\r\n..\r\n..\r\n..\r\n.\r\n"),
        "{:?}",
        &text[text.len() - 20..]
    );
    assert_eq!(text.split("\r\n").filter(|line| *line == ".").count(), 1, "the end, and no other");
}

#[tokio::test]
async fn one_recipient_is_refused_and_the_other_gets_it() {
    let says = &[("RCPT TO:<a", "550-no such\r\n550 user"), ("DATA", "354 go")];
    let (outcome, _) = sent(says, None).await;
    let refusal = Reply { code: 550, text: "no such user".to_owned() };
    assert_eq!(outcome.unwrap(), [Err(refusal), Ok(())]);
}

#[tokio::test]
async fn a_refusal_is_for_now_or_for_good() {
    for (says, is_for_good) in [
        (&[("MAIL", "450 later")] as &[_], false),
        (&[("MAIL", "550 never")], true),
        (&[("DATA", "354 go"), (".", "554 spam")], true),
        (&[("EHLO", "nonsense")], false),
    ] {
        let (outcome, _) = sent(says, None).await;
        assert_eq!(outcome.unwrap_err().is_for_good(), is_for_good, "{says:?}");
    }
}

#[tokio::test]
async fn what_is_about_the_platform_is_not_for_good() {
    for says in [
        &[("EHLO", "554 go away")] as &[_],
        &[("MAIL", "530 sign in first")],
        &[("RCPT", "421 going down")],
        &[("DATA", "421 going down")],
    ] {
        let (outcome, _) = sent(says, None).await;
        let is_for_good = match outcome {
            Ok(outcome) => outcome.iter().any(|one| one.as_ref().is_err_and(Reply::is_for_good)),
            Err(error) => error.is_for_good(),
        };
        assert!(!is_for_good, "{says:?}");
    }
}

#[tokio::test]
async fn no_password_goes_in_the_clear() {
    let user = SmtpUser { name: "me".to_owned(), password: "secret".to_owned() };
    let says = &[("EHLO", "250-there\r\n250 AUTH LOGIN PLAIN"), ("DATA", "354 go")];
    let (outcome, heard) = sent(says, Some(&user)).await;
    assert!(outcome.unwrap_err().to_string().contains("no password is said in the clear"));
    assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[test]
fn servers_are_named_by_url() {
    let server: SmtpServer = "smtps://mail.example.org".parse().unwrap();
    assert_eq!((server.port, server.security), (465, Security::Tls));
    assert_eq!("smtp://[::1]:25".parse::<SmtpServer>().unwrap().host, "::1");
    for bad in ["mail", "http://a", "smtp://", "smtp://u:p@h", "smtp://h/path", "smtp://h:x"] {
        assert!(bad.parse::<SmtpServer>().is_err(), "{bad}");
    }
}
