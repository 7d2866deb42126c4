//! What plugins and themes a site has, and switching them, by the agent in the site's sandbox. Its
//! answers are a tenant's as much as the platform's: nothing in them is trusted to be in any form.

use aipress_drivers::ExecCall;
use aipress_drivers::ExecOutput;
use aipress_drivers::Slot;
use aipress_types::TenantUid;
use aipress_types::intent::PackageRef;
use aipress_types::package::is_package_name;

use crate::plane::Plane;
use crate::reconcilers::tenant::packages::diff::Found;
use crate::reconcilers::tenant::packages::diff::Site;
use crate::steps::StepError;

/// None of the site's own code runs: it may be what is broken.
const BARE: &[&str] = &["--skip-plugins", "--skip-themes"];
/// Most of a command's complaint that is told, in characters.
const COMPLAINT_MAX: usize = 300;

/// Everything that is there.
pub(super) async fn site(plane: &Plane, uid: TenantUid, slot: Slot) -> Result<Site, StepError> {
    let plugins = ["plugin", "list", "--format=json", "--fields=name,status,version"];
    let themes = ["theme", "list", "--format=json", "--fields=name,status,version,shared"];
    Ok(Site {
        plugins: list(plane, uid, slot, &plugins).await?,
        themes: list(plane, uid, slot, &themes).await?,
    })
}

async fn list(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    words: &[&str],
) -> Result<Vec<Found>, StepError> {
    let output = agent(plane, uid, slot, &[words, BARE].concat()).await?;
    let what = words.get(..2).unwrap_or_default().join(" ");
    if !output.succeeded() {
        let message = format!("`{what}` failed: {}", complaint(&output));
        return Err(StepError { message, retryable: true });
    }
    let found: Vec<Found> = serde_json::from_slice(&output.out).map_err(|error| StepError {
        message: format!("`{what}` is not understood: {error}"),
        retryable: true,
    })?;
    Ok(found.into_iter().filter(|found| is_package_name(&found.name)).collect())
}

/// Switches it on, with the site's code: its hooks run. The error is for people.
pub(super) async fn switch_on(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    package: &PackageRef,
) -> Result<Result<(), String>, StepError> {
    let words = [package.kind.as_str(), "activate", &package.name];
    let output = agent(plane, uid, slot, &words).await?;
    Ok(if output.succeeded() { Ok(()) } else { Err(complaint(&output)) })
}

/// Switches a plugin off: with its own code where that runs (its hooks), without it otherwise.
pub(super) async fn switch_off(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    package: &PackageRef,
    bare: bool,
) -> Result<(), StepError> {
    let words = [package.kind.as_str(), "deactivate", &package.name];
    if !bare && agent(plane, uid, slot, &words).await?.succeeded() {
        return Ok(());
    }
    let output = agent(plane, uid, slot, &[&words, BARE].concat()).await?;
    if output.succeeded() {
        return Ok(());
    }
    let message = format!(
        "{} `{}` can't be switched off: {}",
        package.kind,
        package.name,
        complaint(&output)
    );
    Err(StepError { message, retryable: true })
}

async fn agent(
    plane: &Plane,
    uid: TenantUid,
    slot: Slot,
    words: &[&str],
) -> Result<ExecOutput, StepError> {
    Ok(plane.drivers.exec.output(ExecCall::agent(uid, slot, words)).await?)
}

/// What a command said of its failure, in a line.
fn complaint(output: &ExecOutput) -> String {
    let text = String::from_utf8_lossy(&output.err);
    let line = text
        .lines()
        .rev()
        .find(|line| line.starts_with("Error:") || line.starts_with("Warning:"))
        .or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()))
        .unwrap_or("it gave no reason");
    let all: Vec<&str> = text.lines().filter(|line| line.starts_with("Warning:")).collect();
    // What WordPress said of the plugin comes before the command's own summary.
    let telling = all.last().copied().unwrap_or(line);
    telling.chars().filter(|c| !c.is_control()).take(COMPLAINT_MAX).collect()
}
