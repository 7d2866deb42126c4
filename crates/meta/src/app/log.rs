//! Lines of a site's log. They are on the site's shard, which is asked each time; meta keeps none.

use std::time::Duration;

use aipress_api::internal::LogsAsked;
use aipress_api::internal::LogsFound;
use aipress_api::paths;
use aipress_store::TenantRecord;
use http::Method;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::codes;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::plane::Plane;
use crate::problem::ApiError;

/// A shard that reads as much as it may, on a busy disk, beside what it waits for a line.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Asks the shard of `tenant`.
pub(crate) async fn read(
    plane: &Plane,
    tenant: &TenantRecord,
    asked: &LogsAsked,
) -> Result<LogsFound, ApiError> {
    let shard = match tenant.shard {
        Some(id) => plane.store.shard_fetch(id).await?,
        None => None,
    };
    let Some(shard) = shard else {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!("`{}` is {}: its log is gone", tenant.name, tenant.state),
        ));
    };
    let path = format!("{}/{}/logs", paths::SHARD_TENANTS, tenant.uid);
    let timeout = TIMEOUT + Duration::from_millis(asked.wait_ms);
    shard_call::ask(plane, &shard.address, Method::POST, &path, asked, timeout)
        .await
        .map_err(|error| refused(tenant, &error))
}

fn refused(tenant: &TenantRecord, error: &ShardCallError) -> ApiError {
    tracing::warn!(tenant.uid = %tenant.uid, %error, "a log was not read");
    match error {
        ShardCallError::Refused { status: 404, .. } => ApiError::new(
            &codes::INVALID_STATE,
            format!("`{}` is {}: it has no log on its shard", tenant.name, tenant.state),
        ),
        ShardCallError::Refused { status: 422, .. } => ApiError::new(
            &codes::INVALID_CURSOR,
            "it is damaged, or of a list with another filter or order: start without `cursor`",
        ),
        _ => ApiError::new(
            &codes::SHARD_UNAVAILABLE,
            format!("the log of `{}` can't be read now: try again in a moment", tenant.name),
        )
        .with_header(http::header::RETRY_AFTER, "2"),
    }
}

/// A time, or how long ago it was: RFC 3339, or a number with `s`, `m`, `h` or `d`. In microseconds
/// since 1970.
pub(crate) fn moment(text: &str, now: OffsetDateTime) -> Result<u64, String> {
    let at = match ago(text) {
        Some(seconds) => now.checked_sub(time::Duration::seconds(seconds)),
        None => OffsetDateTime::parse(text, &Rfc3339).ok(),
    };
    at.and_then(|at| u64::try_from(at.unix_timestamp_nanos() / 1_000).ok()).ok_or_else(|| {
        "give how long ago, such as 90s, 15m, 2h or 3d, or a time, such as 2026-11-21T08:00:00Z"
            .to_owned()
    })
}

fn ago(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|number| i64::from(number) * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        for (text, seconds) in [
            ("90s", 999_910),
            ("15m", 999_100),
            ("2h", 992_800),
            ("1d", 913_600),
            ("1970-01-12T00:00:00Z", 950_400),
            ("1970-01-12T01:00:00+01:00", 950_400),
        ] {
            assert_eq!(moment(text, now), Ok(seconds * 1_000_000), "{text}");
        }
        for bad in ["", "m", "-5m", "5", "5w", "1.5h", "yesterday", "9999999999d", "ä", "12d"] {
            assert!(moment(bad, now).is_err(), "{bad}");
        }
    }
}
