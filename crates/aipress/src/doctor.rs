//! `aipress doctor`: checks what the platform needs and what is running, and says for each
//! failure what to do. With `--inventory`: everything that exists beside the row that explains it.

mod inventory;
mod machine;
mod mail;
mod platform;

use std::path::Path;

use serde::Serialize;

use crate::args::Connect;
use crate::args::Doctor;
use crate::args::Output;
use crate::data;
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Good,
    Warning,
    Bad,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    outcome: Outcome,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    fn good(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Good, found: found.into(), remedy: None }
    }

    fn warning(name: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.to_owned(), outcome: Outcome::Warning, found: found.into(), remedy }
    }

    fn bad(name: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.to_owned(), outcome: Outcome::Bad, found: found.into(), remedy }
    }
}

/// Checks everything; exit code 1 when something is bad.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    args: Doctor,
    output: Output,
) -> Result<(), Failure> {
    let how = &how.or_here();
    let paths = data::paths(data)?;
    let settings = Settings::load(&paths)?;
    if args.inventory {
        return inventory::run(data, how, &paths, &settings, output).await;
    }
    let mut checks = machine::checks(&paths, &settings);
    checks.push(mail::check(&settings).await);
    checks.extend(platform::checks(data, how, &paths, &settings).await);
    output::print(output, &checks, |checks| table(checks))?;
    match checks.iter().filter(|check| check.outcome == Outcome::Bad).count() {
        0 => Ok(()),
        bad => Err(Failure::Failed(anyhow::anyhow!("{bad} of {} checks failed", checks.len()))),
    }
}

fn table(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.outcome {
            Outcome::Good => "✓",
            Outcome::Warning => "!",
            Outcome::Bad => "✗",
        };
        text.push_str(&format!("{mark} {}: {}\n", check.name, check.found));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("    → {remedy}\n"));
        }
    }
    text
}
