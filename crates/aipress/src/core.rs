//! `aipress core`: WordPress core versions on this machine.

use std::path::Path;

use aipress_cores::CoreStore;
use aipress_cores::Manifest;
use aipress_cores::Version;
use aipress_cores::Wanted;
use aipress_cores::cache_dir;
use aipress_drivers::DataPaths;
use aipress_drivers::local::fpm::PhpInstall;
use anyhow::Context;

use crate::args::CoreVerb;
use crate::args::Output;
use crate::data;
use crate::exit::Failure;
use crate::output;
use crate::php_files;

/// The cores of a data folder.
pub(crate) fn store(paths: &DataPaths) -> CoreStore {
    let cache = cache_dir(data::is_root(), std::env::home_dir().as_deref());
    CoreStore::new(paths.cores().join("wordpress"), cache)
}

/// The version of the PHP that runs the sites.
///
/// # Errors
/// When there is no php-fpm, in words that say how to get it.
pub(crate) fn php() -> anyhow::Result<Version> {
    PhpInstall::detect()?.version.parse().context("version of php-fpm")
}

/// Lists or fetches.
pub(crate) async fn run(
    data: Option<&Path>,
    verb: CoreVerb,
    output: Output,
) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let store = store(&paths);
    match verb {
        CoreVerb::List => {
            let cores = store.list().context("list cores")?;
            let manifests: Vec<Manifest> = cores.into_iter().map(|core| core.manifest).collect();
            let nothing = "No WordPress yet; `aipress core fetch` gets the newest.";
            output::list(output, &manifests, nothing, table)?;
        }
        CoreVerb::Fetch { version } => {
            let wanted: Wanted = version
                .as_deref()
                .unwrap_or("default")
                .parse()
                .map_err(|error| Failure::Usage(format!("{error}")))?;
            let say = |line: &str| output::note(&format!("  {line}"));
            let core = store.ensure(&wanted, &php()?, &say).await.context("fetch WordPress")?;
            aipress_cores::install_config(&core.dir, &php_files::text("wp-config.php")?)
                .context("configure WordPress")?;
            let (version, dir) = (core.manifest.version, core.dir.display());
            output::say(&format!("WordPress {version} is in {dir}\n"));
        }
    }
    Ok(())
}

fn table(manifests: &[Manifest]) -> String {
    let rows: Vec<Vec<String>> = manifests
        .iter()
        .map(|manifest| {
            vec![
                manifest.version.to_string(),
                manifest.requires_php.to_string(),
                (manifest.bytes / 1_000_000).to_string(),
                manifest.themes.join(" "),
            ]
        })
        .collect();
    output::columns(&["VERSION", "NEEDS PHP", "MB", "THEMES"], &rows)
}
