//! Which suites of which archive can be asked for WordPress on this machine.

use std::path::Path;

use crate::error::CoreError;

use super::sources::{self, Source};

/// Debian's suites that have a WordPress, newest first.
const DEBIAN_SUITES: [&str; 3] = ["sid", "trixie", "bookworm"];
/// Names by which a Debian archive is told apart from others among the sources.
const DEBIAN_NAMES: [&str; 8] =
    ["sid", "unstable", "testing", "stable", "forky", "trixie", "bookworm", "bullseye"];

/// One archive address with one suite of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stanza {
    pub(super) uri: String,
    pub(super) suite: String,
    pub(super) components: &'static str,
    pub(super) signed_by: Option<String>,
    /// Read only the list of arch-independent packages, which Debian's main
    /// archive has by itself at half the size. Ubuntu has none, and that of
    /// Debian's security archive is not kept by all mirrors.
    pub(super) only_arch_all: bool,
}

/// A suite with what belongs to it (security updates).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) main: Stanza,
    /// Nice to have; left away when they cannot be read.
    pub(super) updates: Vec<Stanza>,
}

/// What the machine can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// To be tried in this order.
    pub(super) suites: Vec<Suite>,
    /// The machine's own suite, which its keyring certainly verifies: from
    /// there comes a keyring that knows newer suites.
    pub(super) own: Suite,
    /// The package of that keyring.
    pub(super) keyring_package: &'static str,
}

/// Reads what the machine beneath `root` is and installs from.
pub(super) fn of_machine(root: &Path) -> Result<Machine, CoreError> {
    let sources = sources::read(&root.join("etc/apt"))?;
    let release = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    let ubuntu = os_release(&release, "UBUNTU_CODENAME").or_else(|| {
        (os_release(&release, "ID")? == "ubuntu")
            .then(|| os_release(&release, "VERSION_CODENAME"))?
    });
    match ubuntu {
        Some(codename) => ubuntu_machine(&sources, codename),
        None => debian_machine(&sources, os_release(&release, "VERSION_CODENAME")),
    }
    .ok_or_else(|| CoreError::NoArchive(root.join("etc/apt")))
}

fn debian_machine(sources: &[Source], codename: Option<&str>) -> Option<Machine> {
    let is_debian = |source: &&Source| {
        source
            .suites
            .iter()
            .any(|suite| DEBIAN_NAMES.contains(&suite.as_str()) || Some(suite.as_str()) == codename)
    };
    let main = sources.iter().find(is_debian)?;
    // The security archive has another address, and names its suites after ours.
    let security = sources.iter().find(|source| {
        source.suites.iter().any(|suite| {
            suite
                .strip_suffix("-security")
                .is_some_and(|name| DEBIAN_NAMES.contains(&name) || Some(name) == codename)
        })
    });
    let suite = |name: &str| Suite {
        name: name.to_owned(),
        main: Stanza { only_arch_all: true, ..stanza(main, name, "main") },
        updates: security
            .filter(|_| name != "sid" && name != "unstable")
            .map(|source| stanza(source, &format!("{name}-security"), "main"))
            .into_iter()
            .collect(),
    };
    let named = main.suites.iter().find(|suite| DEBIAN_NAMES.contains(&suite.as_str()));
    let own = codename.filter(|codename| main.suites.iter().any(|suite| suite == codename));
    Some(Machine {
        suites: DEBIAN_SUITES.iter().map(|name| suite(name)).collect(),
        own: suite(own.or(named.map(String::as_str))?),
        keyring_package: "debian-archive-keyring",
    })
}

fn ubuntu_machine(sources: &[Source], codename: &str) -> Option<Machine> {
    const COMPONENTS: &str = "main universe";
    let with =
        |name: &str| sources.iter().find(|source| source.suites.iter().any(|suite| suite == name));
    let main = with(codename)?;
    let updates = ["updates", "security"].iter().filter_map(|pocket| {
        let name = format!("{codename}-{pocket}");
        with(&name).map(|source| stanza(source, &name, COMPONENTS))
    });
    let own = Suite {
        name: codename.to_owned(),
        main: stanza(main, codename, COMPONENTS),
        updates: updates.collect(),
    };
    // The name of whatever release is being made, with the newest WordPress.
    let next = Suite {
        name: "devel".to_owned(),
        main: stanza(main, "devel", COMPONENTS),
        updates: Vec::new(),
    };
    Some(Machine { suites: vec![next, own.clone()], own, keyring_package: "ubuntu-keyring" })
}

fn stanza(source: &Source, suite: &str, components: &'static str) -> Stanza {
    Stanza {
        uri: source.uri.clone(),
        suite: suite.to_owned(),
        components,
        signed_by: source.signed_by.clone(),
        only_arch_all: false,
    }
}

/// A value of `os-release(5)`.
fn os_release<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\''])).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(release: &str, list: &str) -> Result<Machine, CoreError> {
        let root = tempfile::tempdir().expect("folder");
        std::fs::create_dir_all(root.path().join("etc/apt")).expect("folder");
        std::fs::write(root.path().join("etc/os-release"), release).expect("write");
        std::fs::write(root.path().join("etc/apt/sources.list"), list).expect("write");
        of_machine(root.path())
    }

    #[test]
    fn debian_asks_its_mirror_for_every_suite() {
        let found = machine(
            "ID=debian\nVERSION_CODENAME=bookworm\n",
            "deb [signed-by=/other.gpg] http://other.test/node nodistro main\n\
             deb [signed-by=/d.gpg] http://mirror.test/debian bookworm main\n\
             deb http://mirror.test/security bookworm-security main\n",
        )
        .expect("machine");
        let names: Vec<_> = found.suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(names, DEBIAN_SUITES);
        assert!(found.suites.iter().all(|suite| suite.main.uri == "http://mirror.test/debian"));
        assert!(found.suites.iter().all(|suite| suite.main.signed_by.as_deref() == Some("/d.gpg")));
        assert_eq!(found.suites[0].updates, []);
        assert_eq!(found.suites[1].updates[0].suite, "trixie-security");
        assert_eq!(found.suites[1].updates[0].uri, "http://mirror.test/security");
        assert_eq!(found.own.name, "bookworm");
    }

    #[test]
    fn ubuntu_asks_its_own_suites() {
        let found = machine(
            "ID=ubuntu\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n",
            "deb http://mirror.test/ubuntu noble main universe\n\
             deb http://mirror.test/ubuntu noble-updates main universe\n\
             deb http://security.test/ubuntu noble-security main universe\n",
        )
        .expect("machine");
        assert_eq!(found.suites[1].name, "noble");
        assert_eq!(found.suites[1].updates[1].uri, "http://security.test/ubuntu");
        assert!(!found.suites[1].main.only_arch_all);
        assert_eq!(found.own.main.suite, "noble");
    }

    #[test]
    fn a_machine_without_such_an_archive_is_told() {
        let error =
            machine("ID=arch\n", "deb http://other.test/node nodistro main\n").expect_err("found");
        assert!(matches!(error, CoreError::NoArchive(_)), "{error}");
    }
}
