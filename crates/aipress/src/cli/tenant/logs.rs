//! `aipress tenant logs`: lines of a site's log, the newest last, as in a terminal's own history.

use std::io::ErrorKind;
use std::io::Write;
use std::time::Duration;

use aipress_api::LogLine;
use aipress_api::Severity;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::ListQuery;
use aipress_api::client::LogStream;
use aipress_api::log::MAX_LIMIT;
use anyhow::Context;

use crate::args::Output;
use crate::args::TenantLogs;
use crate::exit::Failure;
use crate::output;
use crate::output::Look;

/// Newest lines that are shown when nothing else is asked for.
const NEWEST: u32 = 100;
/// The same before what is followed.
const NEWEST_FOLLOWED: u32 = 10;
/// A stream that is silent for longer is dead: the platform sends something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// Between tries when the stream broke: this, doubled each time up to the second.
const RETRY: Duration = Duration::from_millis(300);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Shows lines, and follows.
pub(super) async fn run(
    client: &ApiClient,
    args: TenantLogs,
    output: Output,
) -> Result<(), Failure> {
    let sources: Vec<&str> = args.source.iter().map(|source| source.as_str()).collect();
    let filters = ListQuery::default()
        .with("level", args.level)
        .with("source", (!sources.is_empty()).then(|| sources.join(",")))
        .with("contains", args.contains.as_deref());
    let query = filters.clone().with("since", args.since.as_deref());
    if args.follow && args.since.is_some() && args.limit.is_none() {
        return follow(client, &args.tenant, &query, None, output).await;
    }
    let limit = args.limit.unwrap_or(if args.follow { NEWEST_FOLLOWED } else { NEWEST });
    let before = query.clone().with("until", args.until.as_deref());
    let (lines, is_more) = newest(client, &args.tenant, &before, limit as usize).await?;
    for line in lines.iter().rev() {
        if !print(line, output)? {
            return Ok(());
        }
    }
    if args.follow {
        let last = lines.first().map(|line| line.id.clone());
        return follow(client, &args.tenant, &filters, last, output).await;
    }
    if lines.is_empty() {
        output::note("No line is like that; leave a filter out, or look further back by --since.");
    } else if is_more && args.limit.is_none() {
        output::note(&format!("These are the newest {limit}; --limit shows more."));
    }
    Ok(())
}

/// The newest lines, the newest first, and whether there are older ones.
async fn newest(
    client: &ApiClient,
    tenant: &str,
    query: &ListQuery,
    limit: usize,
) -> Result<(Vec<LogLine>, bool), Failure> {
    let mut lines: Vec<LogLine> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let left = (limit - lines.len()).min(MAX_LIMIT as usize);
        let page = query.clone().with("limit", Some(left)).with("cursor", cursor.as_deref());
        let page = client.tenant_logs(tenant, &page).await?;
        lines.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() || lines.len() >= limit {
            return Ok((lines, cursor.is_some()));
        }
    }
}

async fn follow(
    client: &ApiClient,
    tenant: &str,
    query: &ListQuery,
    after: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let query = query.clone().with("follow", Some(true));
    let mut stream = client.tenant_log_stream(tenant, &query, after);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut pause = RETRY;
    loop {
        let next = tokio::select! {
            _ = &mut interrupted => return Ok(()),
            next = next(&mut stream) => next,
        };
        let broken = match next {
            Ok(Some(line)) => {
                pause = RETRY;
                if !print(&line, output)? {
                    return Ok(());
                }
                continue;
            }
            Ok(None) => "the platform ended the stream".to_owned(),
            Err(error) if may_come_back(&error) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        output::note(&format!("{broken}; connecting again in {} ms", pause.as_millis()));
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn next(stream: &mut LogStream) -> Result<Option<LogLine>, ApiError> {
    match tokio::time::timeout(SILENCE, stream.next()).await {
        Ok(next) => next,
        Err(_) => {
            stream.close();
            Ok(None)
        }
    }
}

/// Whether the platform may answer otherwise in a moment.
fn may_come_back(error: &ApiError) -> bool {
    match error {
        ApiError::Planned(_) => false,
        ApiError::Transport(_) | ApiError::Unexpected { .. } => true,
        ApiError::Problem(problem) => problem.status == 429 || problem.status >= 500,
    }
}

/// Prints one line; `false` when nobody reads any more (`| head`).
fn print(line: &LogLine, output: Output) -> Result<bool, Failure> {
    let text = match output {
        Output::Table | Output::Wide => readable(line, Look::is_colored(), output == Output::Wide),
        Output::Name => format!("{}\n", line.id),
        Output::Json => serde_json::to_string(line).context("encode JSON")? + "\n",
        Output::Yaml => {
            "---\n".to_owned() + &serde_yaml_ng::to_string(line).context("encode YAML")?
        }
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// For people: when, how bad, of what, what, and which request. What a site wrote can't move the
/// cursor: further lines of a message are set in, and control characters are not printed.
fn readable(line: &LogLine, is_colored: bool, is_wide: bool) -> String {
    let at = line.time.get(..23).map_or_else(|| line.time.clone(), |time| format!("{time}Z"));
    let (on, off) = match (is_colored, line.severity) {
        (true, Severity::Error) => ("\x1b[31m", "\x1b[0m"),
        (true, Severity::Warning) => ("\x1b[33m", "\x1b[0m"),
        _ => ("", ""),
    };
    let (dim, bright) = if is_colored { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    let mut message = String::new();
    for character in line.message.chars() {
        match character {
            '\n' => message.push_str("\n    "),
            '\t' => message.push_str("    "),
            control if control.is_control() => message.push('\u{fffd}'),
            other => message.push(other),
        }
    }
    if let Some(request) = line.request.as_ref() {
        message.push_str(&format!(
            "  {dim}{} ms, {} bytes, {}{bright}",
            request.duration_ms, request.bytes, request.client
        ));
        if is_wide {
            let agent = printable(request.user_agent.as_deref().unwrap_or("-"));
            let referer = printable(request.referer.as_deref().unwrap_or("-"));
            message.push_str(&format!("  {dim}{} {agent} {referer}{bright}", request.host));
        }
    }
    let id = line
        .request_id
        .as_deref()
        .map_or_else(String::new, |id| format!("  {dim}[{}]{bright}", printable(id)));
    format!(
        "{at}  {on}{:<7}{off}  {:<8}  {message}{id}\n",
        line.severity.as_str(),
        line.source.as_str()
    )
}

fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::LogRequest;
    use aipress_api::LogSource;

    fn line(message: &str) -> LogLine {
        LogLine {
            id: "1795269509123456-php".to_owned(),
            time: "2026-11-21T13:58:29.123456Z".to_owned(),
            tenant_id: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            region: "local".to_owned(),
            service: "php".to_owned(),
            severity: Severity::Error,
            source: LogSource::Php,
            message: message.to_owned(),
            request_id: Some("8c1f".to_owned()),
            file: None,
            line: None,
            dropped: None,
            request: None,
        }
    }

    #[test]
    fn a_line_is_readable_and_moves_no_cursor() {
        let text = readable(&line("PHP Fatal error:  boom\n#0 {main}\x1b[2J\r"), false, false);
        let expected = "2026-11-21T13:58:29.123Z  ERROR    php       PHP Fatal error:  boom\n    \
                        #0 {main}\u{fffd}[2J\u{fffd}  [8c1f]\n";
        assert_eq!(text, expected);
        assert!(readable(&line("x"), true, false).contains("\x1b[31mERROR  \x1b[0m"));
    }

    #[test]
    fn a_request_says_how_long_it_took_and_whose_it_was() {
        let mut access = line("GET / 200");
        access.request = Some(LogRequest {
            client: "192.0.2.7".to_owned(),
            duration_ms: 12.5,
            user_agent: Some("curl\n/8".to_owned()),
            ..LogRequest::default()
        });
        let text = readable(&access, false, false);
        assert!(text.contains("GET / 200  12.5 ms, 0 bytes, 192.0.2.7  [8c1f]"), "{text}");
        assert!(readable(&access, false, true).contains("curl\u{fffd}/8 -"));
    }
}
