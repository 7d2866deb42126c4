//! Against servers with TLS, whose certificates are of an authority of the test's own.

use std::path::Path;
use std::sync::Arc;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use time::OffsetDateTime;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn acceptor(issuer: &Issuer, name: &str, is_expired: bool) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if is_expired {
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) =
            (now - time::Duration::days(9), now - time::Duration::days(2));
    }
    let certificate = params.signed_by(&key, issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Answers until the other end goes, or asks for TLS; what was heard.
async fn talk<S: Stream>(stream: S, is_private: bool, heard: &mut String) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        heard.push_str(&line);
        let answer = match line.trim_end() {
            "." if in_data => {
                in_data = false;
                "250 taken\r\n"
            }
            _ if in_data => continue,
            "DATA" => {
                in_data = true;
                "354 go\r\n"
            }
            // Behind it what somebody in between may have put there.
            "STARTTLS" => "220 go\r\n250 AUTH NONE\r\n",
            "AUTH PLAIN AG1lAHNlY3JldA==" => "235 welcome\r\n",
            it if it.starts_with("AUTH") => "535 who?\r\n",
            it if it.starts_with("EHLO") && is_private => "250-there\r\n250 AUTH LOGIN PLAIN\r\n",
            it if it.starts_with("EHLO") => "250-there\r\n250 STARTTLS\r\n",
            _ => "250 ok\r\n",
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return None;
        }
        if line == "STARTTLS\r\n" {
            return Some(stream.into_inner());
        }
    }
}

/// One connection; what was heard in the clear, and in private.
async fn serve(listener: TcpListener, tls: TlsAcceptor, at_once: bool) -> (String, String) {
    let (mut clear, mut private) = (String::new(), String::new());
    let (mut tcp, _) = listener.accept().await.unwrap();
    if !at_once {
        tcp.write_all(b"220 there\r\n").await.unwrap();
        let Some(stream) = talk(tcp, false, &mut clear).await else { return (clear, private) };
        tcp = stream;
    }
    if let Ok(mut stream) = tls.accept(tcp).await {
        if at_once {
            let _ = stream.write_all(b"220 there\r\n").await;
        }
        talk(stream, true, &mut private).await;
    }
    (clear, private)
}

async fn sent_to(
    scheme: &str,
    tls: TlsAcceptor,
    trusted: &Path,
    password: &str,
) -> (Result<Outcome, SmtpError>, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server: SmtpServer = format!("{scheme}://127.0.0.1:{port}").parse().unwrap();
    let serving = tokio::spawn(serve(listener, tls, scheme == "smtps"));
    let user = SmtpUser { name: "me".to_owned(), password: password.to_owned() };
    let to = ["a@example.org".to_owned()];
    let envelope = Envelope {
        from: "t-1@example.com",
        to: &to,
        message: b"Subject: x\n\ny\n",
        hello: "shard",
    };
    let trust = Trust::File(trusted.to_owned());
    let outcome = send(&server, Some(&user), &trust, envelope).await;
    let (clear, private) = serving.await.unwrap();
    (outcome, clear, private)
}

#[tokio::test]
async fn a_message_and_its_password_go_in_private_only() {
    let dir = tempfile::tempdir().unwrap();
    let (file, issuer) = (dir.path().join("ca.pem"), authority("ours"));
    std::fs::write(&file, issuer.pem()).unwrap();
    for scheme in ["smtp", "smtps"] {
        let tls = acceptor(&issuer, "127.0.0.1", false);
        let (outcome, clear, private) = sent_to(scheme, tls, &file, "secret").await;
        assert_eq!(outcome.unwrap(), [Ok(())], "{scheme}: {clear} {private}");
        let expected = if scheme == "smtp" { "EHLO shard\r\nSTARTTLS\r\n" } else { "" };
        assert_eq!(clear, expected);
        assert!(private.contains("AUTH PLAIN") && private.contains("Subject: x"), "{private}");
        // A wrong password is the platform's trouble: no mail comes back for it.
        let tls = acceptor(&issuer, "127.0.0.1", false);
        let (outcome, _, private) = sent_to(scheme, tls, &file, "wrong").await;
        let error = outcome.unwrap_err();
        assert!(!error.is_for_good() && error.to_string().contains("535 who?"), "{error}");
        assert!(!private.contains("MAIL"), "{private}");
    }
}

#[tokio::test]
async fn a_server_that_is_another_hears_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, issuer) = (dir.path().join("ca.pem"), authority("ours"));
    let (stranger, liar) = (authority("another"), authority("ours"));
    std::fs::write(&file, issuer.pem()).unwrap();
    for (issuer, name, is_expired, words) in [
        (&issuer, "elsewhere.example.org", false, "its certificate is for another name"),
        (&issuer, "127.0.0.1", true, "its certificate has expired"),
        (&stranger, "127.0.0.1", false, "no authority that is trusted vouches"),
        (&liar, "127.0.0.1", false, "no authority that is trusted vouches"),
    ] {
        for scheme in ["smtp", "smtps"] {
            let tls = acceptor(issuer, name, is_expired);
            let (outcome, clear, private) = sent_to(scheme, tls, &file, "secret").await;
            let error = outcome.unwrap_err();
            assert!(error.to_string().contains(words), "{scheme}: {error}");
            assert!(!error.is_for_good() && private.is_empty(), "{private}");
            assert!(!clear.contains("AUTH") && !clear.contains("MAIL"), "{clear}");
        }
    }
    let missing = dir.path().join("none.pem");
    let tls = acceptor(&issuer, "127.0.0.1", false);
    let (outcome, ..) = sent_to("smtp", tls, &missing, "secret").await;
    assert!(outcome.unwrap_err().to_string().contains("none.pem"));
}
