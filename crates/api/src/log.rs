//! Log lines of a tenant, on disk and on the wire alike: one JSON object each, with the field names
//! that the platform's logs have everywhere (`tenant_id`, `region`, `service`, `severity`,
//! `message`), so that one query finds both.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

/// Lines on a page at most.
pub const MAX_LIMIT: u32 = 1_000;
/// Lines on a page when the caller does not say.
pub const DEFAULT_LIMIT: u32 = 100;

/// How bad it is; later ones are worse.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// As it should be.
    Info,
    /// Worth a look some day.
    Notice,
    /// Something is wrong and the site goes on.
    Warning,
    /// A visitor did not get what was asked for.
    Error,
}

/// Where a line comes from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// Requests, as gateway and edge saw them.
    Access,
    /// Runs of WordPress's cron.
    Cron,
    /// Mail that the site sent or could not send.
    Mail,
    /// What PHP and plugins reported (`error_log()`, warnings, fatal errors).
    Php,
    /// What the platform did with the site.
    Platform,
    /// Requests that took long.
    Slow,
}

/// A word that names no severity or source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is none of {known}")]
pub struct UnknownWord {
    word: String,
    known: &'static str,
}

impl Severity {
    /// All, from the mildest.
    pub const ALL: [Self; 4] = [Self::Info, Self::Notice, Self::Warning, Self::Error];

    /// The word in a line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

impl LogSource {
    /// All, by name.
    pub const ALL: [Self; 6] =
        [Self::Access, Self::Cron, Self::Mail, Self::Php, Self::Platform, Self::Slow];

    /// The word in a line, in a query and in the name of a folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Cron => "cron",
            Self::Mail => "mail",
            Self::Php => "php",
            Self::Platform => "platform",
            Self::Slow => "slow",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownWord {
            word: text.to_owned(),
            known: "info, notice, warning, error",
        })
    }
}

impl FromStr for LogSource {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownWord {
            word: text.to_owned(),
            known: "access, cron, mail, php, platform, slow",
        })
    }
}

/// One line. Its `id` is a cursor, too: ids grow with time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// Names the line within its tenant: microseconds since 1970 and the source.
    pub id: String,
    /// When it was taken (RFC 3339, UTC).
    pub time: String,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The region of its shard.
    pub region: String,
    /// What took it: `gateway`, `edge`, `php`, `shard` or, for lines about the log itself, `logs`.
    pub service: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it comes from.
    pub source: LogSource,
    /// What it says. Cut at 8 KiB.
    pub message: String,
    /// The request that it belongs to; visitors see it on error pages and in `X-Request-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `php`: the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `php`: the line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Lines that are missing before this one, because they came faster than they could be
    /// kept, or the disk took none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
    /// The request, for lines about one.
    #[serde(flatten)]
    pub request: Option<LogRequest>,
}

/// What a line tells of a request. Described as if every field could be left out: it is flat in
/// [`LogLine`], and lines about no request have none of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogRequest {
    /// The method.
    #[schema(required = false)]
    pub method: String,
    /// The host as the visitor wrote it.
    #[schema(required = false)]
    pub host: String,
    /// Path and query; values of the query that may be secrets are `[redacted]`.
    #[schema(required = false)]
    pub path: String,
    /// The status of the answer; 499 when the visitor left before there was one.
    #[schema(required = false)]
    pub status: u16,
    /// Bytes of the answer's body.
    #[schema(required = false)]
    pub bytes: u64,
    /// How long it took, in milliseconds.
    #[schema(required = false)]
    pub duration_ms: f64,
    /// How much of that the request waited for a PHP worker, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_ms: Option<f64>,
    /// The visitor's address.
    #[schema(required = false)]
    pub client: String,
    /// The visitor's program, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Where the visitor came from, without the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referer: Option<String>,
    /// Who made the answer: `static`, `php`, `platform` or `edge`.
    #[schema(required = false)]
    pub handler: String,
    /// Whether the answer was handed over whole.
    #[schema(required = false)]
    pub is_complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_others_are_refused_with_what_there_is() {
        assert_eq!("error".parse::<Severity>(), Ok(Severity::Error));
        assert_eq!("PHP".parse::<LogSource>(), Ok(LogSource::Php));
        assert!(Severity::Notice < Severity::Error);
        let refused = "fatal".parse::<Severity>().unwrap_err().to_string();
        assert_eq!(refused, "`fatal` is none of info, notice, warning, error");
    }

    #[test]
    fn a_line_is_flat() {
        let mut line: LogLine = serde_json::from_value(serde_json::json!({
            "id": "1-php", "time": "2026-11-21T00:00:00Z", "tenant_id": Uuid::nil(),
            "region": "local", "service": "php", "severity": "ERROR", "source": "php",
            "message": "m",
        }))
        .unwrap();
        assert_eq!(line.request, None);
        line.request = Some(LogRequest { status: 404, ..LogRequest::default() });
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.contains("\"status\":404") && !text.contains("request\""), "{text}");
        assert_eq!(serde_json::from_str::<LogLine>(&text).unwrap(), line);
    }
}
