//! Logs: JSON lines on standard error for the supervisor to keep, readable text on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sets up logging for the whole process, once; later calls do nothing. `filter` is a
/// `tracing-subscriber` filter such as `info` or `info,aipress_edge=debug`.
pub fn init(service: &'static str, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that can't be written (the disk is full) is lost. Told so on the same standard
        // error it would be a panic, and the request that was logged would end with it.
        .log_internal_errors(false);
    let done = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    };
    if done.is_ok() {
        tracing::debug!(service, "logging is set up");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::process::Command;

    #[test]
    fn what_can_not_be_logged_harms_nobody() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "telemetry::tests::logs_a_line", "--ignored", "--nocapture"])
            .stderr(full)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    #[ignore = "run by the test above in a process of its own"]
    fn logs_a_line() {
        super::init("test", "info");
        tracing::error!("nobody will read this");
    }
}
