//! Against real servers on loopback, some with certificates of an authority of the test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Requests as they arrived.
type Heard = Arc<Mutex<Vec<String>>>;

async fn answered<S>(mut stream: S, heard: Heard, answer: Vec<u8>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(read) if read > 0 => head.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    heard.lock().unwrap().push(String::from_utf8(head).unwrap());
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

/// A server that gives every connection the same answer.
async fn plain(answer: impl Into<Vec<u8>>) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), answer.into());
    let heard = Heard::default();
    let told = Arc::clone(&heard);
    crate::tasks::spawn("test-server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            crate::tasks::spawn("test", answered(stream, Arc::clone(&told), answer.clone()));
        }
    });
    (address, heard)
}

/// The same behind TLS, for `localhost`; the authority's certificate goes to `authority`.
async fn secure(answer: &str, authority: &Path) -> SocketAddr {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(authority, issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
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
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), answer.as_bytes().to_vec());
    crate::tasks::spawn("test-server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                answered(stream, Heard::default(), answer.clone()).await;
            }
        }
    });
    address
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn anywhere() -> Outgoing {
    Outgoing::new(&Trust::System, any_address)
}

fn to(url: impl AsRef<str>) -> Request<Bytes> {
    get(url.as_ref()).unwrap()
}

#[tokio::test]
async fn a_server_is_believed_when_a_trusted_authority_vouches_for_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("a.pem"), folder.path().join("b.pem"));
    let port = secure(&ok("secret"), &ours).await.port();
    secure(&ok("other"), &theirs).await;
    let trusting = Outgoing::new(&Trust::File(ours.clone()), any_address);
    let bounds = Bounds::default();
    let answer = trusting.call(to(format!("https://localhost:{port}/x")), &bounds).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"secret");

    // Another name of the same server, another authority, and the system's authorities.
    let other_name = to(format!("https://127.0.0.1:{port}/"));
    let error = trusting.call(other_name, &bounds).await.unwrap_err();
    assert!(matches!(error, OutgoingError::Tls { .. }), "{error}");
    for trust in [Trust::File(theirs), Trust::System] {
        let request = to(format!("https://localhost:{port}/"));
        let error = Outgoing::new(&trust, any_address).call(request, &bounds).await.unwrap_err();
        let expected = matches!(error, OutgoingError::Tls { .. } | OutgoingError::Authorities(_));
        assert!(expected, "{error}");
    }
    let nothing = Outgoing::new(&Trust::File(folder.path().join("none.pem")), any_address);
    let request = to(format!("https://localhost:{port}/"));
    let error = nothing.call(request, &bounds).await.unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
}

#[tokio::test]
async fn the_client_of_one_endpoint_checks_certificates_too() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("a.pem");
    let port = secure(&ok("secret"), &ours).await.port();
    let request = || Request::get("/").body(Bytes::new()).unwrap();
    let client = |host: &str| {
        let endpoint = format!("https://{host}:{port}").parse().unwrap();
        crate::http::Client::new(endpoint, Duration::from_secs(5))
    };
    let trusting = client("localhost").trusting(&Trust::File(ours.clone()));
    assert_eq!(trusting.call(request()).await.unwrap().body().as_ref(), b"secret");
    let other_name = client("127.0.0.1").trusting(&Trust::File(ours));
    for refused in [client("localhost"), other_name] {
        let error = refused.call(request()).await.unwrap_err();
        assert!(matches!(error, crate::http::ClientError::Connect { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_never_connected_to() {
    let (address, heard) = plain(ok("inside")).await;
    let outside = Outgoing::new(&Trust::System, public_only);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let request = to(format!("http://{host}:{}/", address.port()));
        let error = outside.call(request, &Bounds::default()).await.unwrap_err();
        // Not every resolver takes every spelling.
        let stopped =
            matches!(error, OutgoingError::Refused { .. } | OutgoingError::Resolve { .. });
        assert!(stopped, "{host}: {error}");
    }
    assert!(heard.lock().unwrap().is_empty());
    let request = to(format!("http://localhost:{}/a?b=c", address.port()));
    let answer = anywhere().call(request, &Bounds::default()).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"inside");
    let heard = heard.lock().unwrap().remove(0);
    assert!(heard.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: localhost:{}\r\n", address.port())), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_the_answer_unless_it_is_to_be_followed() {
    let (target, heard) = plain(ok("there")).await;
    let moved =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{target}/new\r\ncontent-length: 0\r\n\r\n");
    let (from, _) = plain(moved).await;
    let mut request = to(format!("http://{from}/old"));
    request.headers_mut().insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
    let answer = anywhere().call(request.clone(), &Bounds::default()).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert!(heard.lock().unwrap().is_empty());
    let following = Bounds { redirects: 2, ..Bounds::default() };
    let answer = anywhere().call(request, &following).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"there");
    assert!(!heard.lock().unwrap()[0].to_lowercase().contains("authorization"));

    let (circle, _) =
        plain("HTTP/1.1 301 Moved\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n").await;
    let error = anywhere().call(to(format!("http://{circle}/")), &following).await.unwrap_err();
    assert!(matches!(error, OutgoingError::Redirects { limit: 2 }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_too_slow_is_given_up() {
    let (large, _) = plain(ok(&"x".repeat(2_000))).await;
    let (endless, _) = plain(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2_000))).await;
    let small = Bounds { body_max: 1_000, ..Bounds::default() };
    for address in [large, endless] {
        let request = to(format!("http://{address}/"));
        let error = anywhere().call(request.clone(), &small).await.unwrap_err();
        assert!(matches!(error, OutgoingError::TooLarge { max_bytes: 1_000, .. }), "{error}");
        // Its beginning can be had.
        let bounds = Bounds { body_max: 4_000, ..Bounds::default() };
        let mut answer = anywhere().open(request, &bounds).await.unwrap();
        assert_eq!(answer.body_mut().first(100).await, vec![b'x'; 100]);
    }

    let quick = Bounds { total: Duration::from_millis(50), ..Bounds::default() };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = to(format!("http://{}/", silent.local_addr().unwrap()));
    let error = anywhere().call(request, &quick).await.unwrap_err();
    assert!(matches!(error, OutgoingError::TimedOut { .. }), "{error}");
    let (stuck, _) = plain("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
    let error = anywhere().call(to(format!("http://{stuck}/")), &quick).await.unwrap_err();
    assert!(matches!(error, OutgoingError::Broken { .. }), "{error}");
}

#[test]
fn what_is_no_address_is_refused() {
    for url in ["", "/x", "example.org", "http://", "ftp://a/", "http://user:word@127.0.0.1/"] {
        let error = get(url).unwrap_err();
        assert!(matches!(error, OutgoingError::Url(_)), "{url}: {error}");
        assert!(!error.to_string().contains("word"), "{error}");
    }
}
