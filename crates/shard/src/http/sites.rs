//! `GET /v1/sites?after=SEQ&waitMs=MS`: the gateway's table, as soon as it is newer than SEQ.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::SiteChanges;
use axum::Json;
use axum::extract::Query;
use axum::extract::State;
use serde::Deserialize;

use crate::plane::Plane;
use crate::sites;

/// Longest wait that a caller may ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What the gateway has and how long it would wait.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Params {
    after: Option<u64>,
    #[serde(default)]
    wait_ms: u64,
}

/// Always the whole table.
pub(super) async fn list(
    State(plane): State<Arc<Plane>>,
    Query(params): Query<Params>,
) -> Json<SiteChanges> {
    let mut seq = plane.sites_seq.subscribe();
    if let Some(after) = params.after {
        // Asking beyond a table says that it was taken.
        plane.sites_taken.send_if_modified(|taken| {
            let more = after > *taken && after <= *plane.sites_seq.borrow();
            if more {
                *taken = after;
            }
            more
        });
        let wait = Duration::from_millis(params.wait_ms).min(MAX_WAIT);
        // A time-out answers with the table as it is.
        let _ = tokio::time::timeout(wait, seq.wait_for(|now| *now != after)).await;
    }
    let seq = *plane.sites_seq.borrow();
    Json(SiteChanges { seq, sites: sites::table(&plane) })
}
