//! A site's scheduled events, as the platform runs them: `GET /v1/tenants/{id}/cron`.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// When a site is woken, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CronView {
    /// When the next event is due; absent when none is known.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_due_at: Option<OffsetDateTime>,
    /// Whether events are run at this moment.
    pub is_running: bool,
    /// Runs in a row that failed, or after which the same event was still due.
    pub failures: u32,
    /// Until when the site is not woken, for runs have failed or it could not be asked.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub resting_until: Option<OffsetDateTime>,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<CronRunView>,
    /// How often the site was woken, by day, the newest first; eight days at most.
    pub wakes: Vec<CronWakesView>,
}

/// A run of a site's scheduled events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CronRunView {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What went wrong; absent when nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Wakes on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CronWakesView {
    /// The day in UTC, such as `2026-11-21`.
    pub date: String,
    /// How many.
    pub count: u32,
}
