//! Hands one message to an SMTP server (RFC 5321): with TLS from the start, by STARTTLS (RFC 3207),
//! or, on this machine only, in the clear; with AUTH PLAIN (RFC 4954) once it is private, and never
//! before.
//!
//! Every answer has a bound in bytes and time. Deliberately absent: pipelining, 8-bit addresses
//! (SMTPUTF8), keeping connections.

use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http::outgoing::Trust;
use crate::http::tls_config;

/// Time to connect, TLS not included.
const CONNECT: Duration = Duration::from_secs(15);
/// Time for a command's answer (RFC 5321 section 4.5.3.2 allows 5 minutes).
const COMMAND: Duration = Duration::from_secs(60);
/// Time for the message, and for what is said to it (there: 10 minutes).
const DATA: Duration = Duration::from_secs(300);
/// Time for the last word.
const QUIT: Duration = Duration::from_secs(5);
/// Time for all of it, however slowly a server takes one recipient after the other.
const SESSION: Duration = Duration::from_secs(900);
/// Longest answer, in bytes.
const ANSWER_MAX: u64 = 16 * 1024;
/// Longest line of a message, in bytes: 1,000 with CRLF and another dot or space.
const LINE_MAX: usize = 997;
/// Most that is kept of an answer, in characters.
const WORDS: usize = 500;

/// How a connection becomes private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// `smtps:`: TLS before anything is said.
    Tls,
    /// `smtp:`: STARTTLS, which the server must offer, unless it is on this machine.
    StartTls,
}

/// A server, `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// Its name or address.
    pub host: String,
    /// Its port: 587 and 465 by default.
    pub port: u16,
    /// How it becomes private.
    pub security: Security,
}

impl FromStr for SmtpServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no server: smtp://HOST[:PORT] or smtps://HOST[:PORT]");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (security, default) = match scheme {
            "smtp" => (Security::StartTls, 587),
            "smtps" => (Security::Tls, 465),
            _ => return Err(wrong()),
        };
        let uri: http::Uri = format!("http://{rest}").parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| uri.path() == "/" && uri.query().is_none());
        let host = host.filter(|host| !host.is_empty() && !rest.contains('@')).ok_or_else(wrong)?;
        // An authority whose port is none is an authority without a port to `http::Uri`.
        if rest.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
            && uri.port_u16().is_none()
        {
            return Err(wrong());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(default), security })
    }
}

/// Who signs in.
#[derive(Debug, Clone)]
pub struct SmtpUser {
    /// Name.
    pub name: String,
    /// Password.
    pub password: String,
}

/// What is sent, from whom, to whom. No address has a line break or an angle bracket.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Where bounces go.
    pub from: &'a str,
    /// Recipients.
    pub to: &'a [String],
    /// The message with its headers; its line ends become CRLF.
    pub message: &'a [u8],
    /// What the sender calls itself (EHLO).
    pub hello: &'a str,
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {text}")]
pub struct Reply {
    /// The code: 4xx is for now, 5xx for good.
    pub code: u16,
    /// Its words.
    pub text: String,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The server refused.
    #[error("the server said: {0}")]
    Refused(Reply),
    /// No connection, or it broke, or was too slow.
    #[error("{0}")]
    Failed(String),
}

impl SmtpError {
    /// Whether it would be the same the next time.
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Refused(reply) if reply.is_for_good())
    }
}

/// What became of each recipient, in order: accepted, or what the server said.
pub type Outcome = Vec<Result<(), Reply>>;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Session {
    stream: BufStream<Box<dyn Stream>>,
    is_private: bool,
}

/// Sends. Recipients that the server does not take don't keep the others from it.
///
/// # Errors
/// When nobody got the message. What a server says before it has heard of the message (that it is
/// away, that the password is wrong) is never for good.
pub async fn send(
    server: &SmtpServer,
    user: Option<&SmtpUser>,
    trust: &Trust,
    envelope: Envelope<'_>,
) -> Result<Outcome, SmtpError> {
    let sent = async {
        let mut session = Session::open(server, user, trust, envelope.hello).await?;
        session.deliver(envelope).await
    };
    let sent = tokio::time::timeout(SESSION, sent).await;
    sent.map_err(|_| server.failed("too slow is", &"it was not done within 15 minutes"))?
}

/// Goes as far as a message would be handed over, for who looks whether one could be. Says whether
/// the connection is private.
///
/// # Errors
/// What keeps mail from it.
pub async fn probe(
    server: &SmtpServer,
    user: Option<&SmtpUser>,
    trust: &Trust,
    hello: &str,
    patience: Duration,
) -> Result<bool, SmtpError> {
    let looked = async {
        let mut session = Session::open(server, user, trust, hello).await?;
        session.quit().await;
        Ok(session.is_private)
    };
    let looked = tokio::time::timeout(patience, looked).await;
    looked.map_err(|_| server.failed("no answer in time of", &"it is too slow"))?
}

impl SmtpServer {
    fn failed(&self, what: &str, error: &dyn std::fmt::Display) -> SmtpError {
        SmtpError::Failed(format!("{what} {}:{}: {error}", self.host, self.port))
    }
}

/// A private connection over this one.
async fn secure(
    server: &SmtpServer,
    trust: &Trust,
    tcp: Box<dyn Stream>,
) -> Result<Box<dyn Stream>, SmtpError> {
    const WHAT: &str = "no secure connection to";
    let config = tls_config(trust).map_err(SmtpError::Failed)?;
    let name =
        ServerName::try_from(server.host.clone()).map_err(|error| server.failed(WHAT, &error))?;
    let shaken = TlsConnector::from(config).connect(name, tcp);
    let tls = tokio::time::timeout(CONNECT, shaken)
        .await
        .map_err(|_| server.failed(WHAT, &"it took too long"))?
        .map_err(|error| server.failed(WHAT, &in_words(&error)))?;
    Ok(Box::new(tls))
}

/// What is wrong with a certificate, for people.
fn in_words(error: &std::io::Error) -> String {
    let found = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(wrong)) = found else { return error.to_string() };
    match wrong {
        // One of an authority's name by another key, too.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority that is trusted vouches for its certificate".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is the clock right?".to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}

impl Session {
    /// A session in which a message may be handed over.
    async fn open(
        server: &SmtpServer,
        user: Option<&SmtpUser>,
        trust: &Trust,
        hello: &str,
    ) -> Result<Self, SmtpError> {
        let address = (server.host.as_str(), server.port);
        let tcp = tokio::time::timeout(CONNECT, TcpStream::connect(address))
            .await
            .map_err(|_| server.failed("connect to", &"it took too long"))?
            .map_err(|error| server.failed("connect to", &error))?;
        let is_near = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        Self::begin(server, Box::new(tcp), is_near, user, trust, hello).await
    }

    async fn begin(
        server: &SmtpServer,
        stream: Box<dyn Stream>,
        is_near: bool,
        user: Option<&SmtpUser>,
        trust: &Trust,
        hello: &str,
    ) -> Result<Self, SmtpError> {
        let begun = Self::greeted(server, stream, is_near, user, trust, hello).await;
        begun.map_err(|error| match error {
            // It is about the platform, not about the mail: whoever runs it may mend it meanwhile.
            SmtpError::Refused(reply) => server.failed("not taken by", &reply),
            failed @ SmtpError::Failed(_) => failed,
        })
    }

    async fn greeted(
        server: &SmtpServer,
        stream: Box<dyn Stream>,
        is_near: bool,
        user: Option<&SmtpUser>,
        trust: &Trust,
        hello: &str,
    ) -> Result<Self, SmtpError> {
        let mut session = match server.security {
            Security::Tls => Self::over(secure(server, trust, stream).await?, true),
            Security::StartTls => Self::over(stream, false),
        };
        session.answer(COMMAND).await?.wanted(2)?;
        let mut offers = session.hello(hello).await?;
        if server.security == Security::StartTls {
            if offers.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
                session.say("STARTTLS").await?.wanted(2)?;
                // What came in the clear behind that answer is thrown away with the buffer.
                let private = secure(server, trust, session.stream.into_inner()).await?;
                session = Self::over(private, true);
                offers = session.hello(hello).await?;
            } else if !is_near {
                return Err(
                    server.failed("nothing is sent in the clear to", &"it offers no STARTTLS")
                );
            }
        }
        if let Some(user) = user {
            if !session.is_private {
                let why = "it offers no STARTTLS";
                return Err(server.failed("no password is said in the clear to", &why));
            }
            session.sign_in(user, &offers).await?;
        }
        Ok(session)
    }

    fn over(stream: Box<dyn Stream>, is_private: bool) -> Self {
        Self { stream: BufStream::new(stream), is_private }
    }

    async fn hello(&mut self, name: &str) -> Result<Vec<String>, SmtpError> {
        self.write(format!("EHLO {name}\r\n").as_bytes()).await?;
        let (reply, lines) = self.lines(COMMAND).await?;
        reply.wanted(2)?;
        Ok(lines)
    }

    async fn sign_in(&mut self, user: &SmtpUser, offers: &[String]) -> Result<(), SmtpError> {
        let ways = offers.iter().filter_map(|line| line.split_once(' '));
        let mut ways = ways.filter(|(verb, _)| verb.eq_ignore_ascii_case("AUTH"));
        let has_plain = ways.any(|(_, ways)| {
            ways.split_ascii_whitespace().any(|way| way.eq_ignore_ascii_case("PLAIN"))
        });
        if !has_plain {
            let words = "the server offers no AUTH PLAIN, and a user is set".to_owned();
            return Err(SmtpError::Failed(words));
        }
        let proof = STANDARD.encode(format!("\0{}\0{}", user.name, user.password));
        self.say(&format!("AUTH PLAIN {proof}")).await?.wanted(2)
    }

    async fn deliver(&mut self, envelope: Envelope<'_>) -> Result<Outcome, SmtpError> {
        self.say(&format!("MAIL FROM:<{}>", envelope.from)).await?.wanted(2)?;
        let mut outcome = Vec::new();
        for to in envelope.to {
            let reply = self.say(&format!("RCPT TO:<{to}>")).await?;
            outcome.push(if reply.code / 100 == 2 { Ok(()) } else { Err(reply) });
        }
        if outcome.iter().any(Result::is_ok) {
            self.say("DATA").await?.wanted(3)?;
            let sent = tokio::time::timeout(DATA, self.write(&stuffed(envelope.message))).await;
            sent.map_err(|_| SmtpError::Failed("the server takes the message too slowly".into()))??;
            self.answer(DATA).await?.wanted(2)?;
        }
        self.quit().await;
        Ok(outcome)
    }

    /// It has the message, or nothing: what it says to this changes nothing.
    async fn quit(&mut self) {
        let _ = tokio::time::timeout(QUIT, self.say("QUIT")).await;
    }

    async fn say(&mut self, command: &str) -> Result<Reply, SmtpError> {
        self.write(format!("{command}\r\n").as_bytes()).await?;
        self.answer(COMMAND).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SmtpError> {
        let all = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(DATA, all).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broke(&error)),
            Err(_) => Err(SmtpError::Failed("the server takes nothing".to_owned())),
        }
    }

    async fn answer(&mut self, limit: Duration) -> Result<Reply, SmtpError> {
        Ok(self.lines(limit).await?.0)
    }

    /// An answer, and its lines without code.
    async fn lines(&mut self, limit: Duration) -> Result<(Reply, Vec<String>), SmtpError> {
        let read = async {
            let mut limited = (&mut self.stream).take(ANSWER_MAX);
            let mut lines = Vec::new();
            loop {
                let mut line = Vec::new();
                if limited.read_until(b'\n', &mut line).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                let code: Option<u16> = line.get(..3).and_then(|code| code.parse().ok());
                let Some(code) = code.filter(|code| (200..600).contains(code)) else {
                    return Err(std::io::Error::other("no answer of an SMTP server"));
                };
                lines.push(line.get(4..).unwrap_or_default().to_owned());
                if line.as_bytes().get(3) != Some(&b'-') {
                    return Ok((code, lines));
                }
            }
        };
        let read = tokio::time::timeout(limit, read).await;
        let read = read.map_err(|_| SmtpError::Failed("the server does not answer".to_owned()))?;
        let (code, lines) = read.map_err(|error| broke(&error))?;
        let words = lines.join(" ");
        let text = words.chars().filter(|letter| !letter.is_control()).take(WORDS).collect();
        Ok((Reply { code, text }, lines))
    }
}

fn broke(error: &std::io::Error) -> SmtpError {
    SmtpError::Failed(format!("the connection to the server broke: {error}"))
}

impl Reply {
    /// Whether it would be the same the next time. That somebody must sign in first (530, RFC 4954
    /// section 6) is about the platform's settings, and no fault of the message.
    pub fn is_for_good(&self) -> bool {
        self.code >= 500 && self.code != 530
    }

    /// Whether the first digit is this.
    fn wanted(self, digit: u16) -> Result<(), SmtpError> {
        if self.code / 100 == digit { Ok(()) } else { Err(SmtpError::Refused(self)) }
    }
}

/// A message as it goes over the wire: lines end with CRLF, one that begins with a dot has another
/// (RFC 5321 section 4.5.2), one that is too long is folded (section 4.5.3.1.6), and a dot alone
/// ends it.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 8);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // A carriage return alone is a line end to some servers, and none to others; a zero byte is
        // an end to some. Left out before anything is judged: `\r.` must not become a dot alone.
        let plain: Vec<u8> = line.iter().copied().filter(|byte| !b"\r\0".contains(byte)).collect();
        for (at, piece) in plain.chunks(LINE_MAX).enumerate() {
            match piece.first() {
                // What follows a fold must look neither like a header nor like an end.
                _ if at > 0 => out.extend_from_slice(b"\r\n "),
                Some(b'.') => out.push(b'.'),
                _ => {}
            }
            out.extend_from_slice(piece);
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests;
