//! A visitor: HTTP to the edge under a site's name, with cookies, following nothing by itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use aipress_kit::http::Client;
use aipress_kit::http::ClientError;
use aipress_kit::http::Endpoint;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use serde_json::Value;

/// How long a visitor waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// One visitor of one site.
#[derive(Debug, Clone)]
pub struct Browser {
    client: Client,
    host: String,
    cookies: BTreeMap<String, String>,
    headers: Vec<(String, String)>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: http::HeaderMap,
    /// Its body.
    pub body: Bytes,
    asked: String,
}

impl Browser {
    /// Somebody who visits `host` (with the port) at the edge's `address`.
    pub fn new(address: SocketAddr, host: impl Into<String>) -> Self {
        let client = Client::new(Endpoint::Tcp(address.to_string()), PATIENCE);
        Self { client, host: host.into(), cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// The same with a header field on each request.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The host, with the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request and keeps the cookies of the answer.
    ///
    /// # Errors
    /// When there was no whole answer.
    ///
    /// # Panics
    /// When the request is none.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        // An address of this very host is as good as a path.
        let path = path.strip_prefix(&format!("http://{}", self.host)).unwrap_or(path);
        let path = if path.is_empty() { "/" } else { path };
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        let (parts, body) = self.client.call(request).await?.into_parts();
        self.keep_cookies(&parts.headers);
        let asked = format!("{method} http://{}{path}", self.host);
        Ok(Answer { status: parts.status, headers: parts.headers, body, asked })
    }

    fn keep_cookies(&mut self, headers: &http::HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// `GET`, which must be answered.
    ///
    /// # Panics
    /// When it is not.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], Bytes::new()).await.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A request with a JSON body, which must be answered.
    ///
    /// # Panics
    /// When it is not.
    pub async fn json(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(method, path, &headers, body.to_string())
            .await
            .unwrap_or_else(|e| panic!("{path}: {e}"))
    }
}

impl Answer {
    /// Itself, when it has this status.
    ///
    /// # Panics
    /// When it has another one.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {:?}\n{}",
            self.asked,
            self.headers,
            self.head()
        );
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn as_json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.head()))
    }

    /// A header field, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The page's `<title>`.
    pub fn title(&self) -> String {
        let text = self.text();
        let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        title.map_or_else(String::new, |(title, _)| title.to_owned())
    }

    fn head(&self) -> String {
        self.text().chars().take(600).collect()
    }
}
