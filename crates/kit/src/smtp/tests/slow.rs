//! Servers that stop in the middle, in every way, at every stage: over a pipe, in a time that passes
//! by itself.

use tokio::io::BufReader;
use tokio::io::DuplexStream;
use tokio::time::Instant;

use super::*;

/// What a server does in place of an answer.
#[derive(Debug, Clone, Copy)]
enum Then {
    Silence,
    /// A byte every ten seconds.
    Drip,
    Close,
    Nonsense,
    /// An answer that never ends.
    Flood,
}

const ALL: [Then; 5] = [Then::Silence, Then::Drip, Then::Close, Then::Nonsense, Then::Flood];

/// Answers well until a line begins with `stage`.
async fn serve(stream: DuplexStream, stage: &'static str, then: Then) {
    let mut stream = BufReader::new(stream);
    if stage.is_empty() {
        return stop(stream, then).await;
    }
    let _ = stream.write_all(b"220 there\r\n").await;
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let is_text = in_data && line != ".\r\n";
        if !is_text && line.starts_with(stage) {
            return stop(stream, then).await;
        }
        if is_text {
            continue;
        }
        in_data = line.starts_with("DATA");
        let answer: &[u8] = if in_data { b"354 go\r\n" } else { b"250 ok\r\n" };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

async fn stop(mut stream: BufReader<DuplexStream>, then: Then) {
    match then {
        Then::Silence => tokio::time::sleep(Duration::from_secs(24 * 3600)).await,
        Then::Drip => {
            while stream.write_all(b"2").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        }
        Then::Close => {}
        Then::Nonsense => {
            let _ = stream.write_all(b"\xff\x00 what?\r\n").await;
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        }
        Then::Flood => while stream.write_all(b"250-more of it\r\n").await.is_ok() {},
    }
}

async fn against(stage: &'static str, then: Then) -> Result<Outcome, SmtpError> {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(serve(far, stage, then));
    let server: SmtpServer = "smtp://mail.example.org".parse().unwrap();
    let stream = Box::new(near);
    let mut session = Session::begin(&server, stream, true, None, &Trust::System, "shard").await?;
    let to = ["a@example.org".to_owned(), "b@example.org".to_owned()];
    let message = [b"Subject: x\n\n".to_vec(), b"text\n".repeat(10_000)].concat();
    let envelope = Envelope { from: "t@example.com", to: &to, message: &message, hello: "shard" };
    session.deliver(envelope).await
}

#[tokio::test(start_paused = true)]
async fn whatever_a_server_does_it_is_over_soon_and_the_mail_waits() {
    for stage in ["", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        for then in ALL {
            let begun = Instant::now();
            let error = against(stage, then).await.unwrap_err();
            assert!(!error.is_for_good(), "{stage:?} {then:?}: {error}");
            assert!(error.to_string().contains("server"), "{stage:?} {then:?}: {error}");
            assert!(begun.elapsed() <= DATA + COMMAND, "{stage:?} {then:?}: {:?}", begun.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_the_message_has_it_whatever_follows() {
    for then in ALL {
        let begun = Instant::now();
        assert_eq!(against("QUIT", then).await.unwrap(), [Ok(()), Ok(())], "{then:?}");
        assert!(begun.elapsed() <= QUIT, "{then:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_in_the_clear_to_another_machine() {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(serve(far, "MAIL", Then::Close));
    let server: SmtpServer = "smtp://mail.example.org".parse().unwrap();
    let stream = Box::new(near);
    let begun = Session::begin(&server, stream, false, None, &Trust::System, "shard").await;
    let error = begun.err().unwrap().to_string();
    assert!(
        error.contains("in the clear to mail.example.org:587: it offers no STARTTLS"),
        "{error}"
    );
}
