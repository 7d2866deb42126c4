//! What an edge can do on this machine, beside plain hyper: for measuring, not for use.
//!
//! `ceiling hyper PORT BYTES` answers from memory by hyper alone; `ceiling gateway SOCKET BYTES`
//! does so on a Unix socket; `ceiling edge PORT SOCKET FOLDER [log]` puts an edge before it, which
//! serves `a.localhost` and answers `s.localhost` itself (a suspended site). One thread each, so
//! that `taskset` can give each a core.

use std::convert::Infallible;

use aipress_api::internal::RouteChanges;
use aipress_api::internal::RouteEntry;
use aipress_api::internal::RouteState;
use aipress_edge::EdgeConfig;
use aipress_edge::config::Essentials;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::Listener;
use aipress_kit::listen::bind_unix;
use aipress_types::Secret;
use aipress_types::ShardId;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.as_slice() {
            ["hyper", port, bytes] => {
                let tcp = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
                answer(Listener::Tcp(tcp), bytes.parse()?).await
            }
            ["gateway", socket, bytes] => {
                answer(bind_unix(socket.as_ref(), 0o600)?, bytes.parse()?).await
            }
            ["edge", port, socket, folder, rest @ ..] => {
                let tcp = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
                edge(tcp, socket, folder.as_ref(), rest.contains(&"log")).await
            }
            _ => {
                Err("ceiling hyper PORT BYTES | gateway SOCKET BYTES | edge PORT SOCKET FOLDER"
                    .into())
            }
        }
    })
}

async fn answer(listener: Listener, bytes: usize) -> Result<(), Failure> {
    let body = Bytes::from(vec![b'x'; bytes]);
    loop {
        match &listener {
            Listener::Tcp(tcp) => {
                let (stream, _) = tcp.accept().await?;
                stream.set_nodelay(true)?;
                serve(stream, body.clone());
            }
            Listener::Unix(unix) => serve(unix.accept().await?.0, body.clone()),
        }
    }
}

fn serve<S>(stream: S, body: Bytes)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |_| {
        let mut response = Response::new(Full::new(body.clone()));
        let kind = http::HeaderValue::from_static("text/html; charset=UTF-8");
        response.headers_mut().insert("content-type", kind);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    aipress_kit::tasks::spawn("ceiling", async move {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
}

async fn edge(
    tcp: TcpListener,
    socket: &str,
    folder: &std::path::Path,
    access_log: bool,
) -> Result<(), Failure> {
    aipress_kit::telemetry::init("edge", "info");
    std::fs::create_dir_all(folder)?;
    let route = |host: &str, state| -> Result<RouteEntry, Failure> {
        Ok(RouteEntry {
            host: host.to_owned(),
            tenant: "f47ac10b-58cc-4372-a567-0e02b2c3d479".parse()?,
            name: "a".to_owned(),
            shard: ShardId::from_number(1).ok_or("shard")?,
            upstream: format!("unix:{socket}"),
            state,
            placement_epoch: 1,
        })
    };
    let mut routes = vec![
        route("a.localhost", RouteState::Serving)?,
        route("s.localhost", RouteState::Suspended)?,
    ];
    for number in 0..50_000 {
        routes.push(route(&format!("site-{number}.localhost"), RouteState::Serving)?);
    }
    let stored = serde_json::to_value(RouteChanges { seq: 1, snapshot: true, routes })?;
    let file = serde_json::json!({"version": 1, "seq": stored["seq"], "routes": stored["routes"]});
    std::fs::write(folder.join("routes.json"), file.to_string())?;
    let mut config = EdgeConfig::new(
        "ceiling",
        Essentials {
            listener: Listener::Tcp(tcp),
            meta: Endpoint::Unix(folder.join("no-meta.sock")),
            role_token: Secret::new("none"),
            console_upstream: Endpoint::Unix(folder.join("no-meta.sock")),
            snapshot: folder.join("routes.json"),
        },
    );
    config.access_log = access_log;
    Ok(aipress_edge::run(config, Lifecycle::from_signals()?).await?)
}
