//! What is to be done about plugins and themes: what was asked for beside what is there. Pure.

use aipress_types::PackageKind;
use aipress_types::PackageSource;
use aipress_types::PackageSpec;
use aipress_types::TenantIntent;
use aipress_types::TenantSpec;
use aipress_types::intent::PackageRef;
use serde::Deserialize;

use crate::journal::KeptPackages;
use crate::journal::Managed;

/// A plugin or theme as the site's WordPress sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Found {
    pub(super) name: String,
    /// `active`, `inactive`, `parent`, `must-use` …
    pub(super) status: String,
    #[serde(default)]
    pub(super) version: String,
    /// A theme that comes with WordPress.
    #[serde(default)]
    pub(super) shared: bool,
}

impl Found {
    /// Whether its code runs: a theme's also when another one builds on it.
    pub(super) fn is_in_use(&self) -> bool {
        matches!(self.status.as_str(), "active" | "active-network" | "parent")
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.status.as_str(), "active" | "active-network")
    }

    /// Whether it has a folder that can be exchanged.
    fn is_ordinary(&self) -> bool {
        !matches!(self.status.as_str(), "must-use" | "dropin")
    }
}

/// Everything that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Site {
    pub(super) plugins: Vec<Found>,
    pub(super) themes: Vec<Found>,
}

impl Site {
    pub(super) fn find(&self, package: &PackageRef) -> Option<&Found> {
        let list = match package.kind {
            PackageKind::Plugin => &self.plugins,
            PackageKind::Theme => &self.themes,
        };
        list.iter().find(|found| found.name == package.name && found.is_ordinary())
    }

    /// The theme that pages are made with.
    pub(super) fn theme(&self) -> Option<&str> {
        self.themes.iter().find(|theme| theme.is_active()).map(|theme| theme.name.as_str())
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Todo {
    /// Put files in place, and switch it on or off where that is said.
    Install { package: PackageRef, entry: PackageSpec, switch: Option<bool> },
    /// Switch it on or off.
    Switch { package: PackageRef, on: bool },
    /// Take it away.
    Remove { package: PackageRef },
}

impl Todo {
    pub(super) fn package(&self) -> &PackageRef {
        match self {
            Self::Install { package, .. }
            | Self::Switch { package, .. }
            | Self::Remove { package } => package,
        }
    }
}

/// Every entry of a spec, plugins first.
pub(super) fn entries(spec: &TenantSpec) -> impl Iterator<Item = (PackageRef, &PackageSpec)> {
    let plugins = spec.plugins.iter().map(|entry| (PackageKind::Plugin, entry));
    let themes = spec.themes.iter().map(|entry| (PackageKind::Theme, entry));
    plugins
        .chain(themes)
        .map(|(kind, entry)| (PackageRef { kind, name: entry.name.clone() }, entry))
}

/// What makes the site what was asked for: first what comes, then what goes.
pub(super) fn todo(intent: &TenantIntent, kept: &KeptPackages, site: &Site) -> Vec<Todo> {
    let mut todo: Vec<Todo> = entries(&intent.spec)
        .filter_map(|(package, entry)| of_entry(package, entry, kept, site))
        .collect();
    let named = |package: &PackageRef| entries(&intent.spec).any(|(other, _)| other == *package);
    let mut gone: Vec<&PackageRef> = kept.managed.iter().map(|managed| &managed.package).collect();
    gone.extend(&intent.absent);
    gone.sort();
    gone.dedup();
    todo.extend(
        gone.into_iter()
            .filter(|package| !named(package))
            .filter(|package| site.find(package).is_some_and(|found| !found.shared))
            .map(|package| Todo::Remove { package: package.clone() }),
    );
    todo
}

fn of_entry(
    package: PackageRef,
    entry: &PackageSpec,
    kept: &KeptPackages,
    site: &Site,
) -> Option<Todo> {
    let found = site.find(&package);
    let is_active = found.is_some_and(Found::is_active);
    let wanted = match package.kind {
        PackageKind::Plugin => Some(entry.active.unwrap_or(true)),
        // A site always has a theme: none is switched off but by another one.
        PackageKind::Theme => entry.active.filter(|active| *active),
    };
    let switch = wanted.filter(|wanted| *wanted != is_active);
    let managed = kept.managed.iter().find(|managed| managed.package == package);
    if !found.is_some_and(|found| is_right(entry, managed, found)) {
        return Some(Todo::Install { package, entry: entry.clone(), switch });
    }
    switch.map(|on| Todo::Switch { package, on })
}

/// Whether what is there will do: without a version or checksum anything does.
fn is_right(entry: &PackageSpec, managed: Option<&Managed>, found: &Found) -> bool {
    if entry.version.as_ref().is_some_and(|version| *version != found.version) {
        return false;
    }
    let source = PackageSource::parse(entry.source.as_deref());
    let Some(sha256) = source.as_ref().ok().and_then(PackageSource::pinned) else { return true };
    managed.is_some_and(|managed| managed.sha256 == sha256 && managed.version == found.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::intent;

    fn found(name: &str, version: &str, status: &str) -> Found {
        Found { name: name.into(), status: status.into(), version: version.into(), shared: false }
    }

    fn plugin(name: &str) -> PackageRef {
        PackageRef { kind: PackageKind::Plugin, name: name.into() }
    }

    fn spec(name: &str, version: Option<&str>) -> PackageSpec {
        PackageSpec {
            name: name.into(),
            version: version.map(str::to_owned),
            source: None,
            active: None,
        }
    }

    fn managed(name: &str, version: &str) -> Managed {
        Managed { package: plugin(name), version: version.into(), sha256: "0".repeat(64) }
    }

    #[test]
    fn what_is_there_and_right_is_left_alone() {
        let mut intent = intent("bakery");
        intent.spec.plugins = vec![spec("any", None), spec("exact", Some("1.2"))];
        let site = Site {
            plugins: vec![
                found("any", "9", "active"),
                found("exact", "1.2", "active"),
                found("by-hand", "1", "active"),
            ],
            themes: Vec::new(),
        };
        assert_eq!(todo(&intent, &KeptPackages::default(), &site), []);
    }

    #[test]
    fn what_differs_is_put_right_and_what_the_spec_had_installed_goes() {
        let mut intent = intent("bakery");
        let off = PackageSpec { active: Some(false), ..spec("off", None) };
        intent.spec.plugins =
            vec![spec("missing", None), spec("old", Some("2")), spec("idle", None), off];
        intent.absent = vec![plugin("unwanted"), plugin("idle")];
        let site = Site {
            plugins: vec![
                found("old", "1", "active"),
                found("idle", "1", "inactive"),
                found("off", "1", "active"),
                found("managed", "1", "active"),
                found("by-hand", "1", "active"),
                found("unwanted", "1", "active"),
            ],
            themes: Vec::new(),
        };
        let kept = KeptPackages {
            managed: vec![managed("managed", "1"), managed("old", "1"), managed("vanished", "1")],
            ..KeptPackages::default()
        };
        let install = |name: &str, version, switch| Todo::Install {
            package: plugin(name),
            entry: spec(name, version),
            switch,
        };
        assert_eq!(
            todo(&intent, &kept, &site),
            [
                install("missing", None, Some(true)),
                install("old", Some("2"), None),
                Todo::Switch { package: plugin("idle"), on: true },
                Todo::Switch { package: plugin("off"), on: false },
                Todo::Remove { package: plugin("managed") },
                Todo::Remove { package: plugin("unwanted") },
            ]
        );
    }

    #[test]
    fn a_checksum_means_these_very_bytes() {
        let sha256 = "0".repeat(64);
        let entry = PackageSpec { source: Some(format!("sha256:{sha256}")), ..spec("x", None) };
        let right = managed("x", "1");
        assert!(is_right(&entry, Some(&right), &found("x", "1", "active")));
        assert!(!is_right(&entry, Some(&right), &found("x", "2", "active")));
        assert!(!is_right(&entry, None, &found("x", "1", "active")));
        let other = Managed { sha256: "1".repeat(64), ..right };
        assert!(!is_right(&entry, Some(&other), &found("x", "1", "active")));
    }

    #[test]
    fn themes_are_switched_on_only_and_shared_ones_are_there_already() {
        let theme = |name: &str| PackageRef { kind: PackageKind::Theme, name: name.into() };
        let mut intent = intent("bakery");
        let on = PackageSpec { active: Some(true), ..spec("twentyten", None) };
        let off = PackageSpec { active: Some(false), ..spec("current", None) };
        intent.spec.themes = vec![on, off];
        intent.absent = vec![theme("default")];
        let shared = Found { shared: true, ..found("default", "1", "inactive") };
        let site = Site {
            plugins: Vec::new(),
            themes: vec![
                Found { shared: true, ..found("twentyten", "4", "inactive") },
                found("current", "1", "active"),
                shared,
            ],
        };
        let switch = Todo::Switch { package: theme("twentyten"), on: true };
        assert_eq!(todo(&intent, &KeptPackages::default(), &site), [switch]);
    }
}
