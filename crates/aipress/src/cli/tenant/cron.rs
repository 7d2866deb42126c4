//! `aipress tenant cron`.

use std::fmt::Write;

use aipress_api::client::ApiClient;
use aipress_api::cron::CronView;

use crate::args::Output;
use crate::exit::Failure;
use crate::output;

/// Shows when a site's scheduled events are due, and how often it was woken.
pub(super) async fn run(client: &ApiClient, tenant: &str, output: Output) -> Result<(), Failure> {
    output::print(output, &client.tenant_cron(tenant).await?, text)?;
    Ok(())
}

fn text(found: &CronView) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_text(&mut text, found);
    text
}

fn write_text(text: &mut String, found: &CronView) -> std::fmt::Result {
    match found.next_due_at {
        _ if found.is_running => writeln!(text, "Next      now: events are being run")?,
        Some(at) => writeln!(text, "Next      {}", output::moment(at))?,
        None => writeln!(text, "Next      nothing is known to be scheduled")?,
    }
    if let Some(until) = found.resting_until {
        writeln!(text, "Resting   until {}", output::moment(until))?;
    }
    if found.failures > 0 {
        writeln!(text, "Failures  {} in a row", found.failures)?;
    }
    if let Some(run) = &found.last_run {
        let (at, took) = (output::moment(run.at), run.duration_ms);
        let how = run.problem.as_deref().unwrap_or("well");
        writeln!(text, "Last run  {at}, {took} ms: {how}")?;
    }
    for day in &found.wakes {
        match day.count {
            1 => writeln!(text, "Woken     {} once", day.date)?,
            count => writeln!(text, "Woken     {} {count} times", day.date)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::cron::CronRunView;
    use aipress_api::cron::CronWakesView;
    use time::macros::datetime;

    #[test]
    fn what_is_known_is_shown() {
        let at = datetime!(2026-11-21 08:00 UTC);
        let problem = Some("it did not end in time".to_owned());
        let day = |date: &str, count| CronWakesView { date: date.to_owned(), count };
        let found = CronView {
            next_due_at: Some(at),
            is_running: false,
            failures: 2,
            resting_until: None,
            last_run: Some(CronRunView { at, duration_ms: 300_000, problem }),
            wakes: vec![day("2026-11-21", 1), day("2026-11-20", 24)],
        };
        let shown = text(&found);
        assert!(shown.contains("300000 ms: it did not end in time"), "{shown}");
        assert!(shown.contains("2026-11-21 once\n") && shown.contains("2026-11-20 24 times\n"));
        let nothing = CronView { next_due_at: None, last_run: None, failures: 0, ..found };
        assert!(text(&nothing).starts_with("Next      nothing is known"), "{}", text(&nothing));
    }
}
