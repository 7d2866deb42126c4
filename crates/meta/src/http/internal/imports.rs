//! `GET /internal/v1/imports/{id}/data`: the archive that a shard makes a site of; an uploaded one,
//! or another site's export as it grows.

use std::sync::Arc;

use aipress_store::ImportState;
use aipress_store::TenantRef;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::header;
use tokio_util::io::ReaderStream;

use crate::codes;
use crate::http::exports;
use crate::http::internal::Role;
use crate::plane::Plane;
use crate::problem::ApiError;

/// What is read at once, in bytes.
const PIECE: usize = 256 * 1024;

/// Only for the shard that makes the site.
pub(crate) async fn data(
    State(plane): State<Arc<Plane>>,
    role: Role,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let gone = || ApiError::new(&codes::GONE, "there is no archive for this site any more");
    let import = match id.parse() {
        Ok(id) => plane.store.import_fetch(id).await?,
        Err(_) => None,
    };
    let import = import.filter(|import| import.state == ImportState::Building).ok_or_else(gone)?;
    let uid = import.tenant.ok_or_else(gone)?;
    let tenant = plane.store.tenant_fetch(&TenantRef::Uid(uid)).await?.ok_or_else(gone)?;
    role.shard(&tenant.shard.map(|shard| shard.to_string()).unwrap_or_default())?;
    if let Some(source) = import.source {
        let export = plane.store.export_fetch(source).await?.ok_or_else(gone)?;
        return Ok(Response::new(Body::new(
            exports::data::open(&plane, &export, 0).await?.into_body(),
        )));
    }
    let path = plane.spool.path(import.id);
    let file = tokio::fs::File::open(path).await.map_err(|_| gone())?;
    let size = file.metadata().await.map_err(|_| gone())?.len();
    let mut response = Response::new(Body::from_stream(ReaderStream::with_capacity(file, PIECE)));
    response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
    Ok(response)
}
