//! A small HTTP/1.1 client, with TLS for `https:` addresses: every call with a time-out.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use super::outgoing::Trust;
use super::outgoing::tls;

/// Largest answer that [`Client::call`] keeps in memory, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Where somebody listens: `unix:/run/x.sock` on one machine, `http://host:port` or
/// `https://host:port` elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP address, `host:port`.
    Tcp(String),
    /// A TCP address, `host:port`, with TLS.
    Tls(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(authority) => write!(f, "http://{authority}"),
            Self::Tls(authority) => write!(f, "https://{authority}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let authority = |scheme: &str, port: u16| {
            let rest = text.strip_prefix(scheme)?.trim_end_matches('/');
            if rest.is_empty() || rest.contains(['/', '@', '?', '#']) {
                return None;
            }
            // A colon within brackets belongs to an IPv6 address (RFC 3986 section 3.2.2).
            let has_port = rest
                .rsplit_once(':')
                .is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().is_ok());
            Some(if has_port { rest.to_owned() } else { format!("{rest}:{port}") })
        };
        authority("http://", 80)
            .map(Self::Tcp)
            .or_else(|| authority("https://", 443).map(Self::Tls))
            .ok_or_else(|| ClientError::Address(text.to_owned()))
    }
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not `unix:PATH`, `http://HOST:PORT` or `https://HOST:PORT`.
    #[error("`{0}` is no address: http://HOST:PORT, https://HOST:PORT or unix:PATH")]
    Address(String),
    /// Nobody listens there.
    #[error("connect to {endpoint}: {source}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// What the system said.
        source: std::io::Error,
    },
    /// The connection broke before the answer was whole.
    #[error("call {endpoint}: {reason}")]
    Broken {
        /// Where.
        endpoint: Endpoint,
        /// What happened.
        reason: String,
    },
    /// Took too long.
    #[error("{endpoint} did not answer within {} ms", after.as_millis())]
    TimedOut {
        /// Where.
        endpoint: Endpoint,
        /// The time that it had.
        after: Duration,
    },
}

/// A client of one endpoint. Each call opens a connection of its own: on a Unix socket that
/// costs some 30 µs, and no call ever meets a connection that died while it idled.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    dial: Option<String>,
    timeout: Duration,
    tls: Option<Result<Arc<ClientConfig>, String>>,
}

impl Client {
    /// A client whose calls end after `timeout` at the latest.
    pub fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        let secure = matches!(endpoint, Endpoint::Tls(_));
        let tls = secure.then(|| tls::config(&Trust::System));
        Self { endpoint, dial: None, timeout, tls }
    }

    /// Lets these authorities vouch for an `https:` endpoint, instead of the system's.
    pub fn trusting(mut self, trust: &Trust) -> Self {
        self.tls = self.tls.map(|_| tls::config(trust));
        self
    }

    /// Dials `address` (`ip:port`) whatever the endpoint's host is: `*.localhost` names are
    /// resolved by browsers, but not by every system's resolver (RFC 6761 section 6.3).
    pub fn dialing(mut self, address: impl Into<String>) -> Self {
        self.dial = Some(address.into());
        self
    }

    /// The same client with another bound for a call.
    pub fn waiting(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where it calls.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// See [`ClientError`]; an answer with any status is no error.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        let whole = async {
            let response = self.open(request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .map_err(|error| self.broken(error))?
                .to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        self.timed(whole).await
    }

    /// Sends `request` and gives the answer once its head is there; the body is the caller's to
    /// read, and to bound.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stream(&self, request: Request<Bytes>) -> Result<Response<Incoming>, ClientError> {
        self.timed(self.open(request)).await
    }

    async fn timed<T>(
        &self,
        future: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        tokio::time::timeout(self.timeout, future).await.map_err(|_| ClientError::TimedOut {
            endpoint: self.endpoint.clone(),
            after: self.timeout,
        })?
    }

    async fn open(&self, mut request: Request<Bytes>) -> Result<Response<Incoming>, ClientError> {
        if !request.headers().contains_key(http::header::HOST) {
            let host = match &self.endpoint {
                Endpoint::Unix(_) => "localhost".to_owned(),
                Endpoint::Tcp(authority) | Endpoint::Tls(authority) => authority.clone(),
            };
            if let Ok(value) = http::HeaderValue::from_str(&host) {
                request.headers_mut().insert(http::header::HOST, value);
            }
        }
        // Boxed: a TLS handshake is large, and every future above would be.
        let mut sender = Box::pin(self.connect()).await?;
        sender.send_request(request.map(Full::new)).await.map_err(|error| self.broken(error))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let refused = |source| ClientError::Connect { endpoint: self.endpoint.clone(), source };
        match &self.endpoint {
            Endpoint::Unix(path) => {
                self.handshake(UnixStream::connect(path).await.map_err(refused)?).await
            }
            Endpoint::Tcp(authority) => {
                self.handshake(self.tcp(authority).await.map_err(refused)?).await
            }
            Endpoint::Tls(authority) => {
                let stream = self.tcp(authority).await.map_err(refused)?;
                self.handshake(self.secured(authority, stream).await.map_err(refused)?).await
            }
        }
    }

    async fn tcp(&self, authority: &str) -> std::io::Result<TcpStream> {
        let address = self.dial.as_deref().unwrap_or(authority);
        let stream = TcpStream::connect(address).await?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn secured(
        &self,
        authority: &str,
        stream: TcpStream,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let config = match &self.tls {
            Some(Ok(config)) => Arc::clone(config),
            Some(Err(reason)) => return Err(std::io::Error::other(reason.clone())),
            None => return Err(std::io::Error::other("no TLS for this endpoint")),
        };
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(std::io::Error::other)?;
        TlsConnector::from(config).connect(name, stream).await
    }

    async fn handshake<S>(&self, stream: S) -> Result<SendRequest<Full<Bytes>>, ClientError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        crate::tasks::spawn("http-client-connection", async move {
            // Its end is seen by who reads the body.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn broken(&self, error: impl fmt::Display) -> ClientError {
        ClientError::Broken { endpoint: self.endpoint.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls() {
        for text in
            ["unix:/run/a.sock", "http://127.0.0.1:8080", "https://a:8443", "http://[::1]:80"]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!("http://a/".parse::<Endpoint>().unwrap(), Endpoint::Tcp("a:80".into()));
        assert_eq!("https://a".parse::<Endpoint>().unwrap(), Endpoint::Tls("a:443".into()));
        assert_eq!("http://[::1]/".parse::<Endpoint>().unwrap(), Endpoint::Tcp("[::1]:80".into()));
        for bad in ["", "/run/a.sock", "ftp://a", "http://", "http://a/b", "https://me:secret@a"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
