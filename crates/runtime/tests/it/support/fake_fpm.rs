//! A FastCGI application with a script of its own: what to send, when to die.

use std::{collections::HashMap, path::Path};

use aipress_runtime::fastcgi::{
    begin_request::FLAG_KEEP_CONN,
    end_request::{EndRequest, ProtocolStatus},
    params::decode_pairs,
    record::{HEADER_BYTES, Header, RecordType, put_stream},
};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

/// One connection, seen from the application.
pub(crate) struct Conversation {
    stream: UnixStream,
    pub(crate) params: HashMap<String, String>,
    pub(crate) stdin: Vec<u8>,
}

/// Answers every connection by `script`.
pub(crate) fn serve<F, Fut>(socket: &Path, script: F)
where
    F: Fn(Conversation) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let conversation = Conversation { stream, params: HashMap::new(), stdin: Vec::new() };
            tokio::spawn(script(conversation));
        }
    });
}

impl Conversation {
    /// Reads the parameters, not the body.
    pub(crate) async fn read_params(&mut self) {
        let (header, content) = self.record().await.unwrap();
        assert_eq!(header.kind, RecordType::BeginRequest as u8);
        assert_eq!(content[2] & FLAG_KEEP_CONN, 0, "a kept connection pins a worker");
        let mut params = Vec::new();
        loop {
            let (header, content) = self.record().await.unwrap();
            assert_eq!(header.kind, RecordType::Params as u8);
            if content.is_empty() {
                break;
            }
            params.extend(content);
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let pairs = decode_pairs(&params).unwrap();
        self.params = pairs.into_iter().map(|(name, value)| (text(name), text(value))).collect();
    }

    /// Reads the whole request.
    pub(crate) async fn read(&mut self) {
        self.read_params().await;
        loop {
            let (header, content) = self.record().await.unwrap();
            assert_eq!(header.kind, RecordType::Stdin as u8);
            if content.is_empty() {
                return;
            }
            self.stdin.extend(content);
        }
    }

    /// One record; `None` when the client left.
    pub(crate) async fn record(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut bytes = [0; HEADER_BYTES];
        self.stream.read_exact(&mut bytes).await.ok()?;
        let header = Header::decode(bytes);
        let mut content = vec![0; usize::from(header.content_bytes)];
        self.stream.read_exact(&mut content).await.ok()?;
        Some((header, content))
    }

    /// Waits until the client closes the connection.
    pub(crate) async fn gone(&mut self) {
        while self.record().await.is_some() {}
    }

    /// Sends a part of the answer. Says whether the client still takes it.
    pub(crate) async fn stdout(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream(RecordType::Stdout, bytes.as_ref()).await
    }

    pub(crate) async fn stderr(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream(RecordType::Stderr, bytes.as_ref()).await
    }

    async fn stream(&mut self, kind: RecordType, bytes: &[u8]) -> bool {
        let mut out = BytesMut::new();
        put_stream(&mut out, kind, bytes);
        self.stream.write_all(&out).await.is_ok()
    }

    /// Ends the request as PHP does.
    pub(crate) async fn end(mut self) {
        self.end_with(ProtocolStatus::RequestComplete).await;
    }

    pub(crate) async fn end_with(&mut self, protocol_status: ProtocolStatus) {
        let mut out = Header::new(RecordType::EndRequest, 8).encode().to_vec();
        out.extend(EndRequest { app_status: 0, protocol_status }.encode());
        let _ = self.stream.write_all(&out).await;
    }
}
