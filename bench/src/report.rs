//! One HTML page with charts of all results: no script, no address outside of itself.

mod chart;

use std::fmt::Write;

use anyhow::Context;

use crate::args::Report;
use crate::results::Row;
use crate::results::Run;
use crate::results::figure;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1c2733;max-width:62em;\
margin:2em auto;padding:0 1em}h1{font-size:1.5em}h2{font-size:1.2em;margin-top:2.5em;\
border-top:1px solid #ccd4db;padding-top:1em}h3{font-size:1em;margin:1.6em 0 .2em}\
p,ul{margin:.3em 0}ul,details{color:#4a5866;font-size:.9em}table{border-collapse:collapse;\
font-size:.9em}td,th{padding:.1em .9em .1em 0;text-align:left;vertical-align:top}\
td.n{text-align:right;font-variant-numeric:tabular-nums}.good{color:#17693a}.bad{color:#b3261e;\
font-weight:600}.quick{background:#fff3cd;padding:.5em 1em}svg{max-width:100%;height:auto}";

/// Writes the page.
///
/// # Errors
/// When there is no result, or one is not understood.
pub(crate) fn run(report: &Report) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(&report.results)
        .with_context(|| format!("read {}; run `make bench` first", report.results.display()))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut runs = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file)?;
        let run: Run = serde_json::from_str(&text)
            .with_context(|| format!("understand {}", file.display()))?;
        runs.push(run);
    }
    anyhow::ensure!(!runs.is_empty(), "no results in {}", report.results.display());
    let out = report.out.clone().unwrap_or_else(|| report.results.join("report.html"));
    std::fs::write(&out, page(&runs)).with_context(|| format!("write {}", out.display()))?;
    println!("{}", out.display());
    Ok(())
}

fn page(runs: &[Run]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>AIPress benchmarks</title>\
         <style>{STYLE}</style>\n<h1>AIPress benchmarks</h1>\n\
         <p>Each dot is a sample, the thick line their median. A dashed line is the floor, a dotted \
         one the aim.</p>\n"
    );
    html.push_str(&overview(runs));
    for run in runs {
        html.push_str(&section(run));
    }
    html.push_str("</html>\n");
    html
}

fn overview(runs: &[Run]) -> String {
    let mut html = String::from("<table><tr><th>figure<th>value<th>floor<th>aim<th><th>peer\n");
    let bounded = runs.iter().flat_map(|run| &run.rows).filter(|row| row.floor.is_some());
    for row in bounded {
        let bound = |bound: Option<f64>| bound.map(figure).unwrap_or_default();
        let peer = row.peer.as_ref().map(|peer| figure(peer.value)).unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td>{}<td class=n>{} {}<td class=n>{}<td class=n>{}<td>{}<td class=n>{peer}",
            escape(&row.title),
            figure(row.value),
            escape(&row.unit),
            bound(row.floor),
            bound(row.aim),
            verdict(row),
        );
    }
    html.push_str("</table>\n");
    html
}

fn section(run: &Run) -> String {
    let mut html = format!("<h2>{}</h2>\n", escape(&run.bench));
    if run.quick {
        html.push_str("<p class=quick>A quick run: the figures mean nothing.</p>\n");
    }
    let machine = &run.machine;
    let _ = writeln!(
        html,
        "<p>Commit {}, {}, seed {}, {} ({} cores, {} MiB), {}, {}, sync of 4 KiB {} ms, load before {}</p>",
        escape(&run.commit),
        run.measured_at.date(),
        run.seed,
        escape(&machine.cpu),
        machine.cores,
        machine.memory_mib,
        escape(&machine.kernel),
        escape(&machine.file_system),
        figure(machine.sync_ms),
        figure(machine.load_before),
    );
    html.push_str("<ul>");
    for words in &run.method {
        let _ = writeln!(html, "<li>{}</li>", escape(words));
    }
    html.push_str("</ul><details><summary>Versions</summary><table>\n");
    for (name, version) in &run.versions {
        let _ = writeln!(html, "<tr><td>{}<td>{}", escape(name), escape(version));
    }
    html.push_str("</table></details>\n");
    for row in &run.rows {
        html.push_str(&row_section(row));
    }
    html
}

fn row_section(row: &Row) -> String {
    let mut html = format!(
        "<h3>{}: {} {} {}</h3>\n{}\n",
        escape(row.title.trim()),
        figure(row.value),
        escape(&row.unit),
        verdict(row),
        chart::svg(row)
    );
    if !row.details.is_empty() {
        html.push_str("<details><summary>Where it comes from</summary><table>\n");
        for (name, value) in &row.details {
            let _ = writeln!(html, "<tr><td>{}<td class=n>{}", escape(name), figure(*value));
        }
        html.push_str("</table></details>\n");
    }
    html
}

fn verdict(row: &Row) -> String {
    let word = row.verdict();
    let class = if word == "below floor" { "bad" } else { "good" };
    format!("<span class={class}>{word}</span>")
}

/// Text between tags or in quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Better;
    use crate::stats::Stats;

    #[test]
    fn a_row_is_drawn_with_its_bounds_and_its_peer() {
        let row = Row::new("a", "a < b", "ms", Better::Lower, Stats::of(&[1.0, 2.0, 9.0]))
            .bounds(3.0, Some(1.5))
            .beside("nginx & co", 2.5, Stats::of(&[2.5]));
        let html = row_section(&row);
        assert!(html.contains("a &lt; b") && html.contains("nginx &amp; co"), "{html}");
        assert_eq!(html.matches("<circle").count(), 4);
        assert!(html.contains("floor") && html.contains("aim"));
    }
}
