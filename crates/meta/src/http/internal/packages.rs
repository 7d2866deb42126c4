//! What a shard asks of the mirror: which archive a spec means, and its bytes. A shard sees what the
//! accounts of its own tenants may use.

use std::sync::Arc;

use aipress_api::internal::PackageResolve;
use aipress_api::internal::PackageResolved;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::PackageSource;
use aipress_types::TenantUid;
use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::header;
use tokio_util::io::ReaderStream;

use crate::app::package::fetch;
use crate::app::package::resolve;
use crate::app::package::resolve::Wanted;
use crate::http::call::read;
use crate::http::internal::Role;
use crate::http::json;
use crate::http::query::Params;
use crate::plane::Plane;
use crate::problem::ApiError;

/// `POST /internal/v1/packages/resolve`.
pub(crate) async fn resolve(
    State(plane): State<Arc<Plane>>,
    role: Role,
    body: Body,
) -> Result<Json<PackageResolved>, ApiError> {
    let asked: PackageResolve = json::decode(&read(body).await?)?;
    let tenant = tenant_of(&plane, &role, asked.tenant).await?;
    let source = PackageSource::parse(asked.source.as_deref())
        .map_err(|detail| ApiError::field("/source", detail))?;
    let wanted = Wanted {
        account: tenant.account,
        kind: asked.kind,
        name: asked.name,
        version: asked.version,
        source,
    };
    Ok(Json(fetch::resolve(&plane, &wanted).await?))
}

/// `GET /internal/v1/packages/{sha256}?tenant=UID`: the archive.
pub(crate) async fn archive(
    State(plane): State<Arc<Plane>>,
    role: Role,
    Path(sha256): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&["tenant"])?;
    let missing = || ApiError::not_found("package", &sha256);
    let uid: TenantUid = params.parsed("tenant")?.ok_or_else(missing)?;
    let tenant = tenant_of(&plane, &role, uid).await?;
    let record = plane.store.package_fetch(&sha256).await?.ok_or_else(missing)?;
    if !resolve::usable(&record, tenant.account) {
        return Err(missing());
    }
    let failed = |error: std::io::Error| ApiError::internal("open an archive", &error);
    let file =
        tokio::fs::File::open(plane.mirror.path(&record.facts.sha256)).await.map_err(failed)?;
    Response::builder()
        .header(header::CONTENT_TYPE, "application/zip")
        .header(header::CONTENT_LENGTH, record.facts.size)
        .body(Body::from_stream(ReaderStream::with_capacity(file, 256 * 1024)))
        .map_err(|error| ApiError::internal("answer with an archive", &error))
}

/// The tenant, if it sits on the shard that asks.
async fn tenant_of(plane: &Plane, role: &Role, uid: TenantUid) -> Result<TenantRecord, ApiError> {
    let text = uid.to_string();
    let found = plane.store.tenant_fetch(&TenantRef::Uid(uid)).await?;
    let tenant = found.ok_or_else(|| ApiError::not_found("tenant", &text))?;
    match tenant.shard {
        Some(shard) => role.shard(&shard.to_string()).map(|_| tenant),
        None => Err(ApiError::not_found("tenant", &text)),
    }
}
