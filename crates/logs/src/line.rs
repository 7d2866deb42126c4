//! A line before it has its id, and how it becomes one line of JSON.

use aipress_api::LogLine;
use aipress_api::LogRequest;
use aipress_api::LogSource;
use aipress_api::Severity;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::id::LineId;
use crate::limits::MAX_FIELD;
use crate::limits::MAX_MESSAGE;
use crate::limits::MAX_PATH;

/// What stands at the end of a text that was cut.
const CUT: &str = "…[cut]";
/// What a line costs in memory beside its texts, in bytes.
const OVERHEAD: usize = 256;

/// A line to be written.
#[derive(Debug, Clone)]
pub struct NewLine {
    /// Where it comes from.
    pub source: LogSource,
    /// What takes it.
    pub service: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it says; any text.
    pub message: String,
    /// The request that it belongs to.
    pub request_id: Option<String>,
    /// The file of PHP.
    pub file: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// Lines that are missing before it.
    pub dropped: Option<u64>,
    /// The request that it is about.
    pub request: Option<Box<LogRequest>>,
}

impl NewLine {
    /// A line that says no more than this.
    pub fn new(
        source: LogSource,
        service: &'static str,
        severity: Severity,
        message: impl Into<String>,
    ) -> Self {
        Self {
            source,
            service,
            severity,
            message: message.into(),
            request_id: None,
            file: None,
            line: None,
            dropped: None,
            request: None,
        }
    }

    /// Cuts every text to its bound.
    pub(crate) fn cut(&mut self) {
        cut(&mut self.message, MAX_MESSAGE);
        for text in [&mut self.request_id, &mut self.file].into_iter().flatten() {
            cut(text, MAX_FIELD);
        }
        if let Some(request) = &mut self.request {
            cut(&mut request.path, MAX_PATH);
            for text in [&mut request.method, &mut request.host, &mut request.client] {
                cut(text, MAX_FIELD);
            }
            for text in [&mut request.user_agent, &mut request.referer].into_iter().flatten() {
                cut(text, MAX_FIELD);
            }
        }
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let request = self.request.as_ref().map_or(0, |it| {
            OVERHEAD
                + it.method.capacity()
                + it.host.capacity()
                + it.path.capacity()
                + it.client.capacity()
                + it.handler.capacity()
                + optional(&it.user_agent)
                + optional(&it.referer)
        });
        OVERHEAD
            + self.message.capacity()
            + optional(&self.request_id)
            + optional(&self.file)
            + request
    }

    /// Appends it as one line of JSON.
    pub(crate) fn encode(self, out: &mut Vec<u8>, micros: u64, tenant: Uuid, region: &str) {
        let line = LogLine {
            id: LineId { micros, source: self.source }.to_string(),
            time: rfc3339(micros),
            tenant_id: tenant,
            region: region.to_owned(),
            service: self.service.to_owned(),
            severity: self.severity,
            source: self.source,
            message: self.message,
            request_id: self.request_id,
            file: self.file,
            line: self.line,
            dropped: self.dropped,
            request: self.request.map(|request| *request),
        };
        let start = out.len();
        // Texts and numbers always serialize; half a line would be worse than none.
        if serde_json::to_writer(&mut *out, &line).is_err() {
            out.truncate(start);
        } else {
            out.push(b'\n');
        }
    }
}

fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - CUT.len()));
        text.push_str(CUT);
        text.shrink_to_fit();
    }
}

/// Microseconds since 1970 as RFC 3339 in UTC, always with six digits, so that texts sort as times.
fn rfc3339(micros: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let whole = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), at.microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_bounded_line() {
        let hostile = format!("a\nb\r\0\u{1b}[31m\"}}{{\u{2028}{}", "é".repeat(20_000));
        let mut line = NewLine::new(LogSource::Php, "php", Severity::Error, hostile);
        line.request =
            Some(Box::new(LogRequest { path: "/é".repeat(9_000), ..LogRequest::default() }));
        line.cut();
        let mut out = Vec::new();
        line.encode(&mut out, 1_795_269_509_000_042, Uuid::nil(), "local");
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(out.len() < 16 * 1024 && out.ends_with(b"}\n"));
        let back: LogLine = serde_json::from_slice(&out).unwrap();
        assert!(back.message.ends_with(CUT) && back.message.starts_with("a\nb"));
        assert_eq!(back.time, "2026-11-21T13:58:29.000042Z");
        assert_eq!(back.id, "1795269509000042-php");
    }
}
