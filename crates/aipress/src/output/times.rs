//! Times: relative for people at a terminal, RFC 3339 for everything else.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::output::Look;

/// A moment in a table: `3m ago` at a terminal, RFC 3339 to the second elsewhere.
pub(crate) fn moment(at: OffsetDateTime) -> String {
    match Look::get().width {
        Some(_) if !Look::is_wide() => relative(at, OffsetDateTime::now_utc()),
        _ => exact(at),
    }
}

/// A moment of one thing: RFC 3339, and at a terminal how long ago.
pub(crate) fn moment_in_full(at: OffsetDateTime) -> String {
    match Look::get().width {
        Some(_) => format!("{} ({})", exact(at), relative(at, OffsetDateTime::now_utc())),
        None => exact(at),
    }
}

fn exact(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

fn relative(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - at).whole_seconds();
    match seconds {
        0 => "now".to_owned(),
        past @ 1.. => format!("{} ago", ago(past.unsigned_abs())),
        future => format!("in {}", ago(future.unsigned_abs())),
    }
}

/// A span in one unit: `59s`, `3m`, `5h`, `12d`.
pub(crate) fn ago(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn a_moment_is_relative_to_now() {
        let now = OffsetDateTime::UNIX_EPOCH;
        for (seconds, words) in [
            (0, "now"),
            (90, "90s ago"),
            (200, "3m ago"),
            (7_200, "2h ago"),
            (864_000, "10d ago"),
            (-300, "in 5m"),
        ] {
            assert_eq!(relative(now - Duration::seconds(seconds), now), words);
        }
        assert_eq!(exact(now + Duration::milliseconds(1_500)), "1970-01-01T00:00:01Z");
    }
}
