//! `GET /internal/v1/routes?after=SEQ&waitMs=MS`: the route table, then its changes by long poll.
//! The `after` that an edge asks with says what it has.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::RouteChanges;
use aipress_store::RouteChanges as Changes;
use axum::Json;
use axum::extract::State;
use tokio::time::Instant;

use crate::app;
use crate::http::internal::Role;
use crate::http::query::Params;
use crate::plane::Plane;
use crate::problem::ApiError;

/// Longest wait of one poll.
const WAIT_MAX: Duration = Duration::from_secs(25);
/// Changes in one answer; more come with the next poll, which does not wait.
const BATCH: u32 = 1_000;

/// Routes for an edge.
pub(crate) async fn routes(
    State(plane): State<Arc<Plane>>,
    role: Role,
    params: Params,
) -> Result<Json<RouteChanges>, ApiError> {
    let edge = role.edge()?.to_owned();
    params.only(&["after", "waitMs"])?;
    let after: Option<u64> = params.parsed("after")?;
    let wait = Duration::from_millis(params.parsed("waitMs")?.unwrap_or(0)).min(WAIT_MAX);
    let Some(after) = after else { return snapshot(&plane).await };
    let deadline = Instant::now() + wait;
    // Subscribed before the first look, so that no change falls in between.
    let mut signal = plane.signals.routes.subscribe();
    loop {
        let (latest, changed) = match plane.store.routes_after(after, BATCH).await? {
            Changes::Resync => return snapshot(&plane).await,
            Changes::Changes { latest, routes } => (latest, routes),
        };
        // Only once the number is known to be of this log.
        plane.signals.edges.acknowledge(&edge, after);
        if !changed.is_empty() || Instant::now() >= deadline {
            let whole = u32::try_from(changed.len()).is_ok_and(|count| count < BATCH);
            let last = changed.last().map_or(after, |route| route.seq);
            return Ok(Json(RouteChanges {
                seq: if whole { latest.max(last) } else { last },
                snapshot: false,
                routes: changed.into_iter().map(app::route::entry).collect(),
            }));
        }
        tokio::select! {
            _ = signal.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
            // An edge must not hold up the end; it asks again and finds the next meta.
            () = plane.lifecycle.drain.cancelled() => {
                return Ok(Json(RouteChanges { seq: after, snapshot: false, routes: Vec::new() }));
            }
        }
    }
}

async fn snapshot(plane: &Plane) -> Result<Json<RouteChanges>, ApiError> {
    let table = plane.store.routes_snapshot().await?;
    Ok(Json(RouteChanges {
        seq: table.seq,
        snapshot: true,
        routes: table.routes.into_iter().map(app::route::entry).collect(),
    }))
}
