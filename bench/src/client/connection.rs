//! One keep-alive connection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked for, and how a right answer is told.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    /// Stands in every right answer.
    pub(crate) mark: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Whether the text is in the body.
    pub(crate) fn has(&self, text: &str) -> bool {
        contains(&self.body, text.as_bytes())
    }
}

/// The connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address))
            .await?
            .with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        aipress_kit::tasks::spawn("bench-connection", async move {
            // Its end is seen by the next request.
            let _ = connection.await;
        });
        Ok(Self { sender })
    }

    /// Whether another request can be sent.
    pub(crate) fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// One `GET`, its answer read to the end.
    pub(crate) async fn get(&mut self, host: &str, path: &str) -> anyhow::Result<Answer> {
        self.send(Request::get(path).header(http::header::HOST, host), Bytes::new()).await
    }

    /// One form, as a browser sends it.
    pub(crate) async fn post(
        &mut self,
        host: &str,
        path: &str,
        form: String,
    ) -> anyhow::Result<Answer> {
        let request = Request::post(path)
            .header(http::header::HOST, host)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Bytes::from(form)).await
    }

    async fn send(
        &mut self,
        request: http::request::Builder,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request.body(Full::new(body))?).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::Ok(Answer { status, body })
        };
        tokio::time::timeout(PATIENCE, exchange).await.context("no answer in time")?
    }

    /// One `GET` of the target; any other than the right answer is an error.
    pub(crate) async fn expect(&mut self, target: &Target) -> anyhow::Result<Answer> {
        let answer = self.get(&target.host, &target.path).await?;
        if answer.status != 200 || !answer.has(&target.mark) {
            bail!(
                "wrong answer from {} for {}{}: status {}, {} bytes: {:.300}",
                target.address,
                target.host,
                target.path,
                answer.status,
                answer.body.len(),
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(answer)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}
