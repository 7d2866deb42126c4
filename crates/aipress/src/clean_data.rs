//! `aipress clean-data`: removes all data of a stopped platform.

use std::io::BufRead;
use std::io::IsTerminal;
use std::path::Path;

use aipress_supervise::InstanceLock;
use aipress_supervise::LockError;
use anyhow::Context;

use crate::args::CleanData;
use crate::data;
use crate::exit::Failure;
use crate::firewall;
use crate::output;
use crate::settings::Settings;
use crate::up;

/// What tells a data folder from any other one.
const MARK: &str = "config.json";

/// Removes the data folder after a person typed its path, or with `--yes`.
pub(crate) async fn run(data: Option<&Path>, args: CleanData) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let root = paths.root();
    if !root.exists() {
        output::say(&format!("There is no data in {}.\n", root.display()));
        return Ok(());
    }
    if !root.join(MARK).is_file() {
        return Err(Failure::Usage(format!(
            "{} does not look like a data folder of aipress (it has no {MARK}); nothing is removed",
            root.display()
        )));
    }
    // Held to the end, so that nothing starts on what is being removed.
    let lock =
        InstanceLock::acquire(&paths.run()).map_err(|error| Failure::Failed(runs(root, error)))?;
    if !args.yes {
        ask(root)?;
    }
    firewall::forget(&paths);
    if let Ok(settings) = Settings::load(&paths) {
        up::forget_groups(&paths, &settings);
    }
    let owned = root.to_owned();
    tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&owned))
        .await
        .context("remove data")?
        .with_context(|| format!("remove {}", root.display()))?;
    drop(lock);
    output::say(&format!("All data in {} is removed.\n", root.display()));
    Ok(())
}

fn runs(root: &Path, error: LockError) -> anyhow::Error {
    let LockError::Held { pid, .. } = error else { return error.into() };
    let process = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
    let root = root.display();
    anyhow::anyhow!(
        "the platform of {root} runs{process}: `aipress down` stops it; nothing is removed"
    )
}

fn ask(root: &Path) -> Result<(), Failure> {
    let root = root.display().to_string();
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Declined(format!(
            "nobody is there to ask; --yes removes all sites in {root} without asking"
        )));
    }
    output::put(&format!(
        "This removes all sites, databases and files in {root}, for good.\nType the path to go on: "
    ));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() == root {
        return Ok(());
    }
    Err(Failure::Declined("not the path; nothing is removed".to_owned()))
}
