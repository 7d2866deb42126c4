//! A receiver of webhooks behind TLS, with a certificate of an authority of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it was sent, and how it answers.
#[derive(Debug, Default)]
struct State {
    /// `webhook-id` and body of each request.
    requests: Vec<(String, Value)>,
    wait: Duration,
    location: Option<String>,
}

/// The receiver. It ends with the test's runtime.
pub(super) struct Endpoint {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

impl Endpoint {
    /// Listens; the authority's certificate goes to `authority`.
    pub(super) async fn start(authority: &Path) -> Self {
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
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        let state = Arc::new(Mutex::new(State::default()));
        let heard = Arc::clone(&state);
        aipress_kit::tasks::spawn("endpoint", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heard) = (acceptor.clone(), Arc::clone(&heard));
                aipress_kit::tasks::spawn("delivery", async move {
                    // Who does not believe the certificate leaves here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        take(stream, &heard).await;
                    }
                });
            }
        });
        Self { url, state }
    }

    /// Answers so late from now on.
    pub(super) fn answer_after(&self, wait: Duration) {
        self.state.lock().unwrap().wait = wait;
    }

    /// Answers by a redirect from now on.
    pub(super) fn redirect_to(&self, path: &str) {
        self.state.lock().unwrap().location = Some(path.to_owned());
    }

    pub(super) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    /// The events in the order in which they came; one that came twice in a row counts once.
    pub(super) fn told(&self) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let mut told: Vec<Value> =
            state.requests.iter().map(|(_, body)| body["data"].clone()).collect();
        told.dedup();
        told
    }

    /// An event that came twice came under the same `webhook-id`.
    pub(super) fn each_id_is_of_one_event(&self) {
        let state = self.state.lock().unwrap();
        let mut ids = BTreeMap::new();
        for (id, body) in &state.requests {
            let event = body["data"]["id"].as_str().unwrap();
            assert_eq!(ids.entry(event).or_insert(id), &id, "event {event}");
        }
    }
}

/// One request and its answer.
async fn take<S>(mut stream: S, state: &Mutex<State>)
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if !matches!(stream.read_buf(&mut bytes).await, Ok(read) if read > 0) {
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = field(head, "content-length").parse().unwrap();
        if body.len() >= length {
            break (head.to_owned(), serde_json::from_str(body).unwrap());
        }
    };
    let (wait, answer) = {
        let mut state = state.lock().unwrap();
        state.requests.push((field(&head, "webhook-id").to_owned(), body));
        let answer = match &state.location {
            Some(path) => format!("302 Found\r\nlocation: {path}"),
            None => "204 No Content".to_owned(),
        };
        (state.wait, answer)
    };
    tokio::time::sleep(wait).await;
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn field<'h>(head: &'h str, name: &str) -> &'h str {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}
