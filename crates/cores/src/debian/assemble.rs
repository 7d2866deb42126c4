//! Puts a core together from packages: WordPress, its default themes, and the
//! libraries that Debian takes out of WordPress and links to.
//!
//! Which packages these are is not written down here: it differs by suite. A
//! link that leads to nothing names a path, and among the packages that
//! WordPress depends on, those are unpacked that can have it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::error::CoreError;
use crate::manifest::{Origin, Package};
use crate::store::{Progress, Unpacked};
use crate::tree::{self, Dangling, Rules, Substitute};

use super::PackagedCore;
use super::apt::unpack;
use super::control::Entry;

const TOP: &str = "usr/share/wordpress";
/// Debian's configuration of a single site; ours comes later.
const SKIP: [&str; 2] = ["wp-config.php", ".htaccess"];
/// Made on the machine when `ca-certificates` is installed, so in no package.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// What packages of libraries for PHP and JavaScript are called.
const LIBRARIES: [&str; 4] = ["libjs-", "libphp-", "node-", "php-"];
/// Every round unpacks a package more, so this is not reached.
const MAX_PACKAGES: usize = 64;

/// Downloads and unpacks everything into `stage`.
pub(super) async fn assemble(
    core: &PackagedCore,
    stage: &Path,
    progress: Progress<'_>,
) -> Result<Unpacked, CoreError> {
    let work = Work { core, debs: stage.join("debs"), root: stage.join("root") };
    for dir in [&work.debs, &work.root] {
        std::fs::create_dir(dir).map_err(CoreError::io("create folder", dir))?;
    }
    let themes = core.apt.show(&core.apt.names("wordpress-theme-").await?).await?;
    // Themes are built from WordPress's source; another version's may not fit.
    let mut first = vec![core.packaged.clone()];
    first.extend(themes.into_iter().filter(|theme| theme.version == core.packaged.version));
    let mut candidates: VecDeque<Entry> = libraries(core, &first).await?.into();

    progress(&format!(
        "downloading WordPress {} from {} ({} packages, {} MB)",
        core.version,
        core.suite,
        first.len(),
        first.iter().map(|entry| entry.size).sum::<u64>() / 1_000_000
    ));
    let rules = rules(&core.machine);
    let mut packages = work.take(&first).await?;
    loop {
        let missing = tree::dangling(&work.root, Path::new(TOP), &rules)?;
        let Some(worst) = missing.first() else { break };
        let next = choose(&mut candidates, &missing);
        if next.is_empty() || packages.len() > MAX_PACKAGES {
            return Err(CoreError::DanglingLink {
                link: worst.link.clone(),
                target: worst.target.display().to_string(),
            });
        }
        let names: Vec<_> = next.iter().map(|entry| entry.name.as_str()).collect();
        progress(&format!("downloading {}", names.join(", ")));
        packages.extend(work.take(&next).await?);
        candidates.extend(libraries(core, &next).await?);
    }
    progress(&format!("unpacking WordPress {}", core.version));
    Ok(Unpacked {
        root: work.root,
        top: PathBuf::from(TOP),
        rules,
        origin: Origin::Packages { suite: core.suite.clone(), packages },
    })
}

struct Work<'a> {
    core: &'a PackagedCore,
    debs: PathBuf,
    root: PathBuf,
}

impl Work<'_> {
    async fn take(&self, entries: &[Entry]) -> Result<Vec<Package>, CoreError> {
        for deb in self.core.apt.download(entries, &self.debs).await? {
            unpack(&deb, &self.root).await?;
        }
        let package = |entry: &Entry| Package {
            name: entry.name.clone(),
            version: entry.version.clone(),
            sha256: entry.sha256.clone(),
        };
        Ok(entries.iter().map(package).collect())
    }
}

/// The libraries without machine code that `entries` depend on.
async fn libraries(core: &PackagedCore, entries: &[Entry]) -> Result<Vec<Entry>, CoreError> {
    let is_library = |name: &&String| LIBRARIES.iter().any(|prefix| name.starts_with(prefix));
    let names: BTreeSet<String> =
        entries.iter().flat_map(|entry| &entry.depends).filter(is_library).cloned().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = core.apt.show(&names.into_iter().collect::<Vec<_>>()).await?;
    found.retain(|entry| entry.architecture == "all");
    Ok(found)
}

/// Takes from `candidates` those whose names say that they have a missing path,
/// or the next one when no name does.
fn choose(candidates: &mut VecDeque<Entry>, missing: &[Dangling]) -> Vec<Entry> {
    let wanted: BTreeSet<String> =
        missing.iter().filter_map(|link| library(&link.target)).collect();
    let (named, others): (Vec<_>, Vec<_>) = candidates
        .drain(..)
        .partition(|entry| wanted.iter().any(|library| entry.name.contains(library.as_str())));
    *candidates = others.into();
    if named.is_empty() { candidates.pop_front().into_iter().collect() } else { named }
}

/// The library's name in a path: `usr/share/javascript/lodash/lodash.js` gives
/// `lodash`.
fn library(target: &Path) -> Option<String> {
    let rest = target.strip_prefix("usr/share").ok()?;
    let name = rest.components().nth(1)?.as_os_str().to_str()?;
    Some(name.to_ascii_lowercase())
}

fn rules(machine: &Path) -> Rules<'static> {
    let file = machine.join(CERTIFICATES);
    // Without it WordPress could not verify any server that it talks to; a
    // machine that lacks it is told by the link that leads to nothing.
    let substitutes = if file.is_file() {
        vec![Substitute { path: CERTIFICATES.into(), file }]
    } else {
        Vec::new()
    };
    Rules { skip: &SKIP, substitutes, hard_links: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            version: "1".to_owned(),
            architecture: "all".to_owned(),
            depends: Vec::new(),
            sha256: String::new(),
            size: 0,
        }
    }

    fn missing(target: &str) -> Dangling {
        Dangling { link: "a".into(), target: target.into() }
    }

    #[test]
    fn packages_are_chosen_by_the_paths_that_are_missing() {
        let all = ["libjs-cropper", "libjs-jquery-ui", "libphp-phpmailer", "php-getid3", "php-gd"];
        let mut candidates: VecDeque<Entry> = all.iter().map(|name| entry(name)).collect();
        let names = |chosen: Vec<Entry>| chosen.into_iter().map(|e| e.name).collect::<Vec<_>>();
        let links = [
            missing("usr/share/php/getid3/getid3.php"),
            missing("usr/share/php/libphp-phpmailer/src/SMTP.php"),
            missing("usr/share/javascript/jquery-ui/ui/effect.js"),
        ];
        assert_eq!(
            names(choose(&mut candidates, &links)),
            ["libjs-jquery-ui", "libphp-phpmailer", "php-getid3"]
        );
        let odd = [missing("usr/lib/odd/place.js")];
        assert_eq!(names(choose(&mut candidates, &odd)), ["libjs-cropper"]);
        assert_eq!(names(choose(&mut candidates, &odd)), ["php-gd"]);
        assert_eq!(names(choose(&mut candidates, &odd)), Vec::<String>::new());
    }
}
