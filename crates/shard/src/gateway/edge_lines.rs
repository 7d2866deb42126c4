//! Lines that an edge hands over: requests for a site of this shard that it answered by itself.
//! Everything else is a visitor's request, for the runtime.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aipress_api::LogSource;
use aipress_api::internal::EdgeLine;
use aipress_api::internal::EdgeLines;
use aipress_api::internal::logs::EDGE_LINES_HEADER;
use aipress_logs::LogWriter;
use aipress_logs::NewLine;
use aipress_runtime::Body;
use aipress_runtime::SiteService;
use aipress_runtime::SiteTable;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::service::Service;

/// Bytes of what an edge hands over at once.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// What takes the lines.
const SERVICE: &str = "edge";

/// The gateway's service.
#[derive(Clone)]
pub(super) struct Gateway {
    pub(super) sites: SiteService,
    pub(super) table: Arc<SiteTable>,
    pub(super) writer: LogWriter,
}

impl Service<Request<Incoming>> for Gateway {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if request.headers().contains_key(EDGE_LINES_HEADER) {
            let (table, writer) = (Arc::clone(&self.table), self.writer.clone());
            return Box::pin(async move { Ok(take(&table, &writer, request).await) });
        }
        self.sites.call(request)
    }
}

async fn take(table: &SiteTable, writer: &LogWriter, request: Request<Incoming>) -> Response<Body> {
    let read = Limited::new(request.into_body(), MAX_BYTES).collect().await;
    let lines =
        read.ok().and_then(|body| serde_json::from_slice::<EdgeLines>(&body.to_bytes()).ok());
    let mut response = Response::new(Body::empty());
    match lines {
        Some(EdgeLines { lines }) => {
            lines.into_iter().for_each(|line| push(table, writer, line));
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

/// Takes a line of a tenant that is served here; others have left since.
fn push(table: &SiteTable, writer: &LogWriter, line: EdgeLine) {
    let EdgeLine { tenant, severity, message, request_id, dropped, request } = line;
    if table.by_uid(&tenant.to_string()).is_none() {
        return;
    }
    writer.push(
        tenant.0,
        NewLine {
            request_id: Some(request_id),
            dropped: (dropped > 0).then_some(dropped),
            request: Some(Box::new(request)),
            ..NewLine::new(LogSource::Access, SERVICE, severity, message)
        },
    );
}
