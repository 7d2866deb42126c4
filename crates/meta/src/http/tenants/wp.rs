//! `POST /v1/tenants/{id}/wp`: a command in the site's sandbox, its output streamed.

use std::sync::Arc;

use aipress_api::paths;
use aipress_api::wp::NDJSON;
use aipress_api::wp::WpCommand;
use aipress_api::wp::WpLine;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use futures_util::StreamExt;
use http::header;

use crate::app;
use crate::app::plan::planner::Request;
use crate::http::call;
use crate::http::dry_run;
use crate::http::json;
use crate::http::query::Params;
use crate::http::told::Told;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Run a `wp` command in the site's sandbox.
///
/// It runs as the site's own Unix user: by wp-cli where the platform has its archive, else by the
/// platform's own agent, which knows the everyday commands (`help` lists them). The answer is
/// streamed, a JSON object a line: pieces of output as they come, and how it ended at last. Empty
/// lines only say that it still runs. Whoever ends the request ends the command. Not idempotent:
/// an `Idempotency-Key` changes nothing. With `dryRun=true` nothing runs: the plan says what would,
/// where, and within which limits.
#[utoipa::path(
    post,
    path = "/v1/tenants/{id}/wp",
    tag = "tenants",
    operation_id = "tenant_wp",
    params(("id" = String, Path, description = "Name or uid")),
    request_body = WpCommand,
    responses((
        status = 200, description = "Lines of output, then the end", body = WpLine,
        content_type = "application/x-ndjson",
    ))
)]
pub(crate) async fn wp(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    told: Told,
    params: Params,
    body: Body,
) -> Result<Response, ApiError> {
    let is_dry_run = dry_run::is_all_asked(&params)?;
    let body = call::read(body).await?;
    let command: WpCommand = json::decode(&body)?;
    if is_dry_run {
        let noted = app::wp::foresee(&plane, &caller, &id, &command).await?;
        let (method, path) = ("POST".to_owned(), format!("{}/{id}/wp", paths::TENANTS));
        let request = Request { method, path, body: json::parse(&body)? };
        return dry_run::answer(&plane, &caller, request, &noted).await;
    }
    let permit = plane.streams.open(&caller)?;
    let origin = told.by(&caller);
    let answer = app::wp::run(&plane, &caller, &origin, &id, command).await?;
    let lines = http_body_util::BodyDataStream::new(answer).map(move |piece| {
        // Counted for as long as the answer is read.
        let _ = &permit;
        piece
    });
    let mut response = ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response();
    // Tells nginx and the like not to collect the stream.
    response.headers_mut().insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    Ok(response)
}
