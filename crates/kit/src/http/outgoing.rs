//! HTTP and HTTPS to the world outside: addresses that others chose (webhooks, archives).
//!
//! - The resolved address is judged, and then that very address is connected to: a name that
//!   resolves differently the second time gains nothing.
//! - Everything is bounded: connecting, the whole call, the answer's bytes, redirects (none unless
//!   asked for; never from `https:` to `http:`; credentials do not follow to another host).
//! - Certificates are checked against the system's list of authorities.
//!
//! Deliberately absent: proxies, cookies, connection pools, HTTP/2, content codings.

mod address;
mod body;
mod error;
mod redirect;
pub(super) mod tls;

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::header;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

pub use address::any_address;
pub use address::public_only;
pub use body::OutgoingBody;
pub use error::OutgoingError;
pub use tls::Trust;

/// Whether a resolved address may be connected to; the text says why not.
pub type Judge = fn(IpAddr) -> Result<(), &'static str>;

/// Addresses of one name that are tried, one after the other.
const ADDRESSES_TRIED: usize = 4;
/// Largest head of an answer, in bytes.
const HEAD_MAX: usize = 64 * 1024;

/// What one call may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Time to resolve and connect, TLS included.
    pub connect: Duration,
    /// Time of the whole call, the answer's body included.
    pub total: Duration,
    /// Bytes of the answer's body.
    pub body_max: u64,
    /// Redirects that are followed; with 0 the redirect itself is the answer.
    pub redirects: u8,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(30),
            body_max: 1024 * 1024,
            redirects: 0,
        }
    }
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    tls: Result<Arc<ClientConfig>, String>,
    judge: Judge,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("tls", &self.tls.is_ok()).finish_non_exhaustive()
    }
}

impl Outgoing {
    /// A client that trusts these authorities and connects where `judge` lets it. A machine
    /// without a list of authorities can still call `http:` addresses.
    pub fn new(trust: &Trust, judge: Judge) -> Self {
        Self { tls: tls::config(trust), judge }
    }

    /// Sends `request`, whose URI is absolute, and reads the whole answer. An answer with any
    /// status is no error.
    ///
    /// # Errors
    /// See [`OutgoingError`].
    pub async fn call(
        &self,
        request: Request<Bytes>,
        bounds: &Bounds,
    ) -> Result<Response<Bytes>, OutgoingError> {
        let (parts, mut body) = self.open(request, bounds).await?.into_parts();
        let mut whole = Vec::new();
        while let Some(chunk) = body.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(Response::from_parts(parts, Bytes::from(whole)))
    }

    /// Sends `request` and gives the answer once its head is there; the body is read piece by
    /// piece, within the same bounds.
    ///
    /// # Errors
    /// See [`OutgoingError`].
    pub async fn open(
        &self,
        request: Request<Bytes>,
        bounds: &Bounds,
    ) -> Result<Response<OutgoingBody>, OutgoingError> {
        let deadline = Instant::now() + bounds.total;
        let mut request = request;
        for _ in 0..=bounds.redirects {
            let host = host_of(request.uri())?.to_owned();
            let again = (bounds.redirects > 0).then(|| redirect::repeatable(&request)).flatten();
            let late = || OutgoingError::TimedOut { host: host.clone(), after: bounds.total };
            let answer = tokio::time::timeout_at(deadline, self.send(request, bounds))
                .await
                .map_err(|_| late())??;
            let next = match again {
                Some(again) => redirect::next(again, &answer)?,
                None => None,
            };
            match next {
                Some(next) => request = next,
                None => {
                    let (parts, body) = answer.into_parts();
                    let body = OutgoingBody::new(body, host, deadline, bounds);
                    return Ok(Response::from_parts(parts, body));
                }
            }
        }
        Err(OutgoingError::Redirects { limit: bounds.redirects })
    }

    async fn send(
        &self,
        mut request: Request<Bytes>,
        bounds: &Bounds,
    ) -> Result<Response<Incoming>, OutgoingError> {
        let uri = request.uri().clone();
        let host = host_of(&uri)?.to_owned();
        let secure = uri.scheme_str() == Some("https");
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let host_field =
            HeaderValue::from_str(&authority).map_err(|_| OutgoingError::Url(authority.clone()))?;
        request.headers_mut().insert(header::HOST, host_field);
        // Origin form (RFC 9112 section 3.2.1).
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() =
            target.parse::<Uri>().map_err(|_| OutgoingError::Url(uri.to_string()))?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });

        let opening = async {
            let stream = self.connect(&host, port).await?;
            if !secure {
                return Ok::<_, OutgoingError>(Box::new(stream) as Box<dyn Stream>);
            }
            let tls = self.tls.clone().map_err(OutgoingError::Authorities)?;
            let failed = |reason: String| OutgoingError::Tls { host: host.clone(), reason };
            let name = ServerName::try_from(bare(&host).to_owned())
                .map_err(|error| failed(error.to_string()))?;
            let stream = TlsConnector::from(tls)
                .connect(name, stream)
                .await
                .map_err(|error| failed(error.to_string()))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        let stream = tokio::time::timeout(bounds.connect, opening)
            .await
            .map_err(|_| OutgoingError::TimedOut { host: host.clone(), after: bounds.connect })??;
        let broken = |error: hyper::Error| OutgoingError::Broken {
            host: host.clone(),
            reason: error.to_string(),
        };
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(HEAD_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        crate::tasks::spawn("outgoing-connection", async move {
            // Its end is seen by who reads the body; it ends when that lets go.
            let _ = connection.await;
        });
        sender.send_request(request.map(Full::new)).await.map_err(broken)
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, OutgoingError> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((bare(host), port))
            .await
            .map_err(|source| OutgoingError::Resolve { host: host.to_owned(), source })?
            .collect();
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in addresses {
            match (self.judge)(address.ip()) {
                Ok(()) => allowed.push(address),
                Err(reason) => {
                    refused = Some(OutgoingError::Refused {
                        host: host.to_owned(),
                        address: address.ip(),
                        reason,
                    });
                }
            }
        }
        let mut last = None;
        for address in allowed.into_iter().take(ADDRESSES_TRIED) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(source) => last = Some(source),
            }
        }
        Err(match (last, refused) {
            (Some(source), _) => OutgoingError::Connect { host: host.to_owned(), source },
            (None, Some(refused)) => refused,
            (None, None) => OutgoingError::Resolve {
                host: host.to_owned(),
                source: std::io::Error::other("the name has no address"),
            },
        })
    }
}

/// Either kind of stream.
trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Stream for S {}

/// The host of an address that can be called.
fn host_of(uri: &Uri) -> Result<&str, OutgoingError> {
    let wrong = || OutgoingError::Url(uri.to_string());
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        // Not repeated in the message: there may be a password in it.
        return Err(OutgoingError::Url("an address with a user name in it".to_owned()));
    }
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong());
    }
    uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)
}

/// A host as resolvers and certificates have it: no brackets around IPv6 (RFC 3986 section 3.2.2).
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// A `GET` of `url`, to be filled with fields.
///
/// # Errors
/// When it is no absolute `http:` or `https:` address.
pub fn get(url: &str) -> Result<Request<Bytes>, OutgoingError> {
    let uri: Uri = url.parse().map_err(|_| OutgoingError::Url(url.to_owned()))?;
    host_of(&uri)?;
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    Ok(request)
}

#[cfg(test)]
mod tests;
