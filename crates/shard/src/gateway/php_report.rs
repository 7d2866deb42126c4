//! What PHP reported, read: how bad it is, and where. Pure. The text is the tenant's; it decides
//! about nothing but its own line.

use std::path::Path;

use aipress_api::LogSource;
use aipress_api::Severity;
use aipress_runtime::Site;
use serde::Deserialize;

/// What the platform's part of WordPress puts before a line that is of another source than PHP.
const MARK: &str = "aipress-log ";

/// A report, read.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    pub(super) source: LogSource,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

/// A line of the platform's part of WordPress.
#[derive(Deserialize)]
struct Marked {
    source: LogSource,
    severity: Severity,
    message: String,
}

/// Reads one message.
pub(super) fn read(text: &str) -> Report {
    if let Some(report) = text.strip_prefix(MARK).and_then(marked) {
        return report;
    }
    let message = text.trim_end().to_owned();
    let severity = severity(&message);
    let (file, line) = match message.starts_with("PHP ") {
        true => place(&message).unzip(),
        false => (None, None),
    };
    Report { source: LogSource::Php, severity, message, file, line }
}

/// Only what a site can know of itself: it writes neither its access lines nor the platform's.
fn marked(json: &str) -> Option<Report> {
    let Marked { source, severity, message } = serde_json::from_str(json).ok()?;
    matches!(source, LogSource::Cron | LogSource::Mail).then_some(Report {
        source,
        severity,
        message,
        file: None,
        line: None,
    })
}

/// By the words that PHP (`php_error_cb`) and WordPress (`wpdb::print_error`) begin with.
fn severity(message: &str) -> Severity {
    let kind = message.strip_prefix("PHP ").and_then(|rest| rest.split_once(':')).map(|it| it.0);
    match kind {
        Some(
            "Fatal error"
            | "Parse error"
            | "Core error"
            | "Compile error"
            | "Recoverable fatal error"
            | "Catchable fatal error",
        ) => Severity::Error,
        Some("Warning" | "Core Warning" | "Compile Warning") => Severity::Warning,
        _ if message.starts_with("WordPress database error") => Severity::Error,
        _ if message.starts_with("aipress: ") => Severity::Warning,
        _ => Severity::Notice,
    }
}

/// The file and line that PHP puts at a message's end: ` in FILE on line N`.
fn place(message: &str) -> Option<(String, u32)> {
    let (before, number) = message.rsplit_once(" on line ")?;
    let (_, file) = before.rsplit_once(" in ")?;
    Some((file.to_owned(), number.parse().ok()?))
}

/// The text with paths as the site's people know them: `wp-content/…`, `wp-includes/…`. Where the
/// platform keeps them is none of their business.
pub(super) fn as_the_site_knows_it(text: &str, site: &Site) -> String {
    let php = site.php_dir.as_deref().unwrap_or(Path::new(""));
    let dirs = [(site.site_dir.as_path(), ""), (&site.core_dir, ""), (php, "aipress/")];
    let mut named = text.to_owned();
    for (dir, name) in dirs {
        if let Some(dir) = dir.to_str().filter(|dir| !dir.is_empty()) {
            named = named.replace(&format!("{dir}/"), name);
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn php_says_how_bad_it_is_and_where() {
        let report =
            read("PHP Warning:  Undefined variable $a in /s/wp-content/a b.php on line 12");
        assert_eq!(report.severity, Severity::Warning);
        assert_eq!(
            (report.file.as_deref(), report.line),
            (Some("/s/wp-content/a b.php"), Some(12))
        );
        let report = read(
            "PHP Fatal error:  Uncaught Exception: boom\nmulti in /s/t.php:9\nStack trace:\n#0 \
             {main}\n  thrown in /s/t.php on line 9",
        );
        assert_eq!(report.severity, Severity::Error);
        assert_eq!((report.file.as_deref(), report.line), (Some("/s/t.php"), Some(9)));
        let report = read("cart is empty in shop on line 3\n");
        assert_eq!((report.severity, report.line), (Severity::Notice, None));
        assert_eq!(report.message, "cart is empty in shop on line 3");
        assert_eq!(read("WordPress database error Table").severity, Severity::Error);
    }

    #[test]
    fn a_site_writes_its_cron_and_mail_lines_and_no_others() {
        let line = |source: &str| {
            read(&format!(
                "aipress-log {{\"source\":\"{source}\",\"severity\":\"ERROR\",\"message\":\"m\"}}"
            ))
        };
        assert_eq!((line("mail").source, line("mail").message.as_str()), (LogSource::Mail, "m"));
        assert_eq!(line("cron").source, LogSource::Cron);
        for other in ["access", "platform", "slow", "php", "x"] {
            let report = line(other);
            assert_eq!(report.source, LogSource::Php);
            assert!(report.message.starts_with("aipress-log {"), "{other}");
        }
        assert_eq!(read("aipress-log {").source, LogSource::Php);
    }

    #[test]
    fn paths_are_the_sites_own() {
        let site = Site {
            site_dir: "/d/sites/u".into(),
            core_dir: "/d/cores/7".into(),
            php_dir: Some("/d/php/abc".into()),
            ..Site::new("u", "n", 1)
        };
        let text = "x in /d/sites/u/wp-content/a.php, /d/cores/7/wp-settings.php, /d/php/abc/b.php";
        let named = "x in wp-content/a.php, wp-settings.php, aipress/b.php";
        assert_eq!(as_the_site_knows_it(text, &site), named);
    }
}
