//! `aipress events`: a line for each event.

use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use aipress_api::EventView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::EventStream;
use aipress_api::client::ListQuery;
use anyhow::Context;
use serde_json::Value;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::args::Connect;
use crate::args::Events;
use crate::args::Output;
use crate::cli::connect;
use crate::exit::Failure;
use crate::output::note;
use crate::output::tell;

/// Events of one page.
const PAGE: u32 = 500;
/// Newest events that are shown when nothing else is asked for.
const NEWEST: u32 = 50;
/// The same before what is followed.
const NEWEST_FOLLOWED: u32 = 10;
/// A stream that is silent for longer is dead: the platform sends something every 10 s.
const SILENCE: Duration = Duration::from_secs(45);
/// Between tries when the stream broke: this, doubled each time up to the second.
const RETRY: Duration = Duration::from_millis(300);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Lists or follows events.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    args: Events,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    let kinds = (!args.kind.is_empty()).then(|| args.kind.join(","));
    let query = ListQuery::default()
        .with("tenant", args.tenant.as_deref())
        .with("shard", args.shard.as_deref())
        .with("kind", kinds);
    let newest = args.limit.unwrap_or(if args.follow { NEWEST_FOLLOWED } else { NEWEST });
    let begin = match &args.since {
        Some(since) => query.clone().with("after", Some(since)),
        None => query.clone().with("latest", Some(newest)),
    };
    if args.follow {
        return follow(&client, &begin, output).await;
    }
    let mut begin = begin.with("limit", args.since.is_some().then_some(PAGE));
    let mut any = false;
    loop {
        let page = client.event_list(&begin).await?;
        any |= !page.items.is_empty();
        for event in &page.items {
            if !print(event, output)? {
                return Ok(());
            }
        }
        if !page.more {
            if !any && output.is_for_people() {
                note("No such events yet; `aipress events --follow` waits for them.");
            }
            return Ok(());
        }
        begin = query.clone().with("limit", Some(PAGE)).with("after", Some(page.next_cursor));
    }
}

async fn follow(client: &ApiClient, query: &ListQuery, output: Output) -> Result<(), Failure> {
    let mut stream = client.event_stream(query);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut pause = RETRY;
    loop {
        let next = tokio::select! {
            _ = &mut interrupted => break,
            next = next(&mut stream) => next,
        };
        let broken = match next {
            Ok(Some(event)) => {
                pause = RETRY;
                if !print(&event, output)? {
                    return Ok(());
                }
                continue;
            }
            Ok(None) => "the platform ended the stream".to_owned(),
            Err(error) if may_come_back(&error) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        tell(&format!("{broken}; connecting again in {} ms", pause.as_millis()));
        tokio::select! {
            _ = &mut interrupted => break,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
    if let Some(cursor) = stream.cursor() {
        tell(&format!("\ngo on from here: aipress events --follow --since {cursor}"));
    }
    Ok(())
}

async fn next(stream: &mut EventStream) -> Result<Option<EventView>, ApiError> {
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
        ApiError::Transport(_) | ApiError::Unexpected { .. } => true,
        ApiError::Planned(_) => false,
        ApiError::Problem(problem) => problem.status == 429 || problem.status >= 500,
    }
}

/// Prints one event; `false` when nobody reads any more (`| head`).
fn print(event: &EventView, output: Output) -> Result<bool, Failure> {
    let text = match output {
        Output::Table | Output::Wide => line(event),
        Output::Name => format!("{}\n", event.id),
        Output::Json => serde_json::to_string(event).context("encode JSON")? + "\n",
        Output::Yaml => {
            "---\n".to_owned() + &serde_yaml_ng::to_string(event).context("encode YAML")?
        }
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// For people: when, the id, what, whom, and how it is now.
fn line(event: &EventView) -> String {
    let at = event.at.to_offset(UtcOffset::UTC);
    let at = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
    let word = |name: &str| event.data.get(name).and_then(Value::as_str);
    let whom = word("name").or(event.shard.as_deref()).unwrap_or("-");
    let mut how = Vec::new();
    // What an operation does is told by its kind, how a site is by its state.
    how.extend(["kind", "state", "health"].into_iter().filter_map(word));
    let why = event.data.pointer("/error/detail").and_then(Value::as_str).or(word("message"));
    let how = how.join(" ") + &why.map_or_else(String::new, |why| format!(": {why}"));
    let text = format!("{at}  {:>8}  {:<22}  {whom:<20}  {how}", event.id, event.kind);
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_people_look_for() {
        let mut event = EventView {
            id: "7".to_owned(),
            at: time::macros::datetime!(2026-11-21 12:00:00.123 UTC),
            kind: "operation.failed".to_owned(),
            tenant: None,
            shard: None,
            account: None,
            data: serde_json::json!({
                "name": "bakery", "kind": "tenant.create", "state": "failed",
                "error": {"detail": "no disk"},
            }),
        };
        let told = line(&event);
        assert!(told.starts_with("2026-11-21T12:00:00Z         7  operation.failed"), "{told}");
        assert!(
            told.ends_with("  bakery                tenant.create failed: no disk\n"),
            "{told}"
        );
        event.data = serde_json::json!({"health": "healthy"});
        event.shard = Some("aipress-shard-001".to_owned());
        assert!(line(&event).ends_with("  aipress-shard-001     healthy\n"));
    }
}
