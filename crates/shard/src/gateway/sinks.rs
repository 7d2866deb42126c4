//! Where the gateway's records go: each tenant's own log. Only requests for a site that nobody
//! knows are told in the gateway's log, which the supervisor keeps.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::LogRequest;
use aipress_api::LogSource;
use aipress_api::Severity;
use aipress_kit::http::redacted;
use aipress_kit::http::without_query;
use aipress_logs::LogWriter;
use aipress_logs::NewLine;
use aipress_runtime::AccessRecord;
use aipress_runtime::AccessSink;
use aipress_runtime::Asked;
use aipress_runtime::ErrorSink;
use aipress_runtime::SiteTable;
use aipress_runtime::Source;
use aipress_types::ShardId;
use aipress_types::TenantUid;
use http::HeaderValue;
use time::OffsetDateTime;
use uuid::Uuid;

use super::php_report;
use super::visits::Visits;

/// What takes the lines of requests.
const SERVICE: &str = "gateway";
/// What takes the lines of PHP.
const PHP: &str = "php";
/// From this long on a request is slow.
const SLOW: Duration = Duration::from_secs(2);
/// WordPress's trigger of its cron.
const CRON: &str = "/wp-cron.php";
/// The parameter of a link that signs in.
const LOGIN: &str = "aipress_login=";

/// Writes lines of all kinds.
pub(super) struct Logs {
    pub(super) shard: ShardId,
    pub(super) access: bool,
    pub(super) writer: LogWriter,
    /// Says where a site's files are, so that its lines can name them as its people know them.
    pub(super) sites: Arc<SiteTable>,
    /// When somebody came last.
    pub(super) visits: Arc<Visits>,
}

impl AccessSink for Logs {
    fn record(&self, record: &AccessRecord) {
        let Some(uid) = record.uid.as_deref().and_then(|uid| uid.parse::<Uuid>().ok()) else {
            return self.nobodys(record);
        };
        // The site's own clockwork is no visitor; nor does an answer that the site did not give count.
        if record.source != Source::Platform && record.uri.path() != CRON {
            self.visits.note(TenantUid(uid), OffsetDateTime::now_utc());
        }
        let request = request(record);
        let id = record.told.request_id.as_ref().map(text);
        let push = |source, severity, message| {
            let mut line = NewLine::new(source, SERVICE, severity, message);
            line.request_id.clone_from(&id);
            line.request = Some(Box::new(request.clone()));
            self.writer.push(uid, line);
        };
        let severity = severity(record.status.as_u16());
        let is_cron = record.uri.path() == CRON;
        let took = seconds(record.answered);
        if record.source == Source::Php && is_cron {
            push(LogSource::Cron, severity, format!("WordPress's cron was started and ran {took}"));
        } else if is_cron && severity == Severity::Error {
            let message = format!("WordPress's cron got no whole answer of PHP, after {took}");
            push(LogSource::Cron, severity, message);
        } else if record.source == Source::Php && record.answered >= SLOW {
            push(LogSource::Slow, Severity::Warning, slow(record, &request));
        }
        if record.status.is_redirection() && record.uri.query().is_some_and(|it| it.contains(LOGIN))
        {
            let message = "a link that signs in was used".to_owned();
            push(LogSource::Platform, Severity::Notice, message);
        }
        if self.access {
            let message = format!("{} {} {}", request.method, request.path, request.status);
            push(LogSource::Access, severity, message);
        }
    }
}

impl Logs {
    fn nobodys(&self, record: &AccessRecord) {
        if self.access {
            tracing::info!(
                target: "access",
                service = SERVICE,
                shard = %self.shard,
                method = %record.method,
                path = redacted(&record.uri),
                status = record.status.as_u16(),
                request_id = record.told.request_id.as_ref().map(text),
                "no site of this shard"
            );
        }
    }

    fn push(&self, asked: &Asked, mut line: NewLine) {
        let Ok(uid) = asked.uid.parse::<Uuid>() else { return };
        line.request_id = asked.request_id.as_ref().map(text);
        self.writer.push(uid, line);
    }
}

impl ErrorSink for Logs {
    fn message(&self, asked: &Asked, text: &[u8], truncated: bool) {
        let report = php_report::read(&String::from_utf8_lossy(text));
        let entry = self.sites.by_uid(&asked.uid);
        let named = |text: String| match &entry {
            Some(entry) => php_report::as_the_site_knows_it(&text, &entry.site),
            None => text,
        };
        let mut message = named(report.message);
        if truncated {
            message.push_str("…[cut]");
        }
        let mut line = NewLine::new(report.source, PHP, report.severity, message);
        line.file = report.file.map(named);
        line.line = report.line;
        self.push(asked, line);
    }

    fn failed(&self, asked: &Asked, reason: &(dyn std::error::Error + 'static)) {
        let mut message = format!("no whole answer of PHP: {reason}");
        let mut cause = reason.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        self.push(asked, NewLine::new(LogSource::Php, SERVICE, Severity::Error, message));
    }
}

/// The request of a record. No value of its query that may be a secret, and no query of where the
/// visitor came from.
fn request(record: &AccessRecord) -> LogRequest {
    LogRequest {
        method: record.method.as_str().to_owned(),
        host: record.told.host.as_ref().map(text).unwrap_or_default(),
        path: redacted(&record.uri),
        status: record.status.as_u16(),
        bytes: record.bytes,
        duration_ms: millis(record.duration),
        queued_ms: (!record.queued.is_zero()).then(|| millis(record.queued)),
        client: record.client.to_string(),
        user_agent: record.told.user_agent.as_ref().map(text),
        referer: record.told.referer.as_ref().map(|it| without_query(&text(it)).to_owned()),
        handler: record.source.as_str().to_owned(),
        is_complete: record.complete,
    }
}

fn slow(record: &AccessRecord, request: &LogRequest) -> String {
    let took = seconds(record.answered);
    let waited = match record.queued {
        it if it >= Duration::from_millis(100) => {
            format!(", {} of it for a free PHP worker", seconds(it))
        }
        _ => String::new(),
    };
    format!("{} {} took {took}{waited}", request.method, request.path)
}

fn severity(status: u16) -> Severity {
    match status {
        500.. => Severity::Error,
        400.. => Severity::Warning,
        _ => Severity::Info,
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// In milliseconds, to the microsecond.
fn millis(duration: Duration) -> f64 {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1_000.0
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
