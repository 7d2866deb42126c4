//! apt with a state of its own: lists, caches and downloads in one folder,
//! sources that it was given, and the machine's keys, proxies and time-outs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::error::CoreError;
use crate::program::{run, run_text};
use crate::store::{Progress, blocking};

use super::control::{Entry, paragraphs};
use super::suites::{Machine, Stanza, Suite};

const UPDATE: Duration = Duration::from_secs(300);
const QUERY: Duration = Duration::from_secs(60);
const DOWNLOAD: Duration = Duration::from_secs(600);
const UNPACK: Duration = Duration::from_secs(120);

/// An apt that knows one suite.
#[derive(Debug, Clone)]
pub(super) struct Apt {
    dir: PathBuf,
}

/// An apt for `suite` with fresh lists. Its state is in a folder of `state`.
pub(super) async fn updated(
    suite: &Suite,
    machine: &Machine,
    state: &Path,
    progress: Progress<'_>,
) -> Result<Apt, CoreError> {
    let apt = Apt { dir: state.join(&suite.name) };
    let error = match apt.update(suite, true, None).await {
        Ok(()) => return Ok(apt),
        Err(error) => error,
    };
    let mut keyring = None;
    if lacks_key(&error) && *suite != machine.own {
        progress(&format!(
            "the machine's keyring does not know {}, getting a newer one",
            suite.name
        ));
        keyring = Some(newer_keyring(machine, state).await?);
        if apt.update(suite, true, keyring.as_deref()).await.is_ok() {
            return Ok(apt);
        }
    }
    if suite.updates.is_empty() {
        apt.update(suite, false, keyring.as_deref()).await?;
        return Ok(apt);
    }
    progress(&format!("the security updates of {} cannot be read, going on without", suite.name));
    apt.update(suite, false, keyring.as_deref()).await?;
    Ok(apt)
}

/// apt's word for a signature by a key that the keyring does not have.
fn lacks_key(error: &CoreError) -> bool {
    error.to_string().contains("NO_PUBKEY") || error.to_string().contains("Missing key")
}

/// The keyring of the machine's own suite, verified by the keyring at hand,
/// which its distribution keeps current with the keys of later suites.
async fn newer_keyring(machine: &Machine, state: &Path) -> Result<PathBuf, CoreError> {
    let apt = Apt { dir: state.join(format!("{}-keyring", machine.own.name)) };
    if apt.update(&machine.own, true, None).await.is_err() {
        apt.update(&machine.own, false, None).await?;
    }
    let entries = apt.show(&[machine.keyring_package.to_owned()]).await?;
    let debs = apt.dir.join("debs");
    let root = apt.dir.join("root");
    for dir in [&debs, &root] {
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(CoreError::io("remove", dir))?;
        }
        fs::create_dir_all(dir).map_err(CoreError::io("create folder", dir))?;
    }
    for deb in apt.download(&entries, &debs).await? {
        unpack(&deb, &root).await?;
    }
    let folder = root.join("usr/share/keyrings");
    let name = machine.keyring_package.replace("ubuntu-keyring", "ubuntu-archive-keyring");
    ["pgp", "gpg"]
        .iter()
        .map(|extension| folder.join(format!("{name}.{extension}")))
        .find(|path| path.is_file())
        .ok_or_else(|| CoreError::malformed(machine.keyring_package, "no keyring in it"))
}

/// Unpacks a package file into `root`, running nothing of it.
pub(super) async fn unpack(deb: &Path, root: &Path) -> Result<(), CoreError> {
    run(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(root), UNPACK).await.map(|_| ())
}

impl Apt {
    async fn update(
        &self,
        suite: &Suite,
        with_updates: bool,
        keyring: Option<&Path>,
    ) -> Result<(), CoreError> {
        self.configure(suite, with_updates, keyring)?;
        run(self.command("apt-get").args(["-q", "update"]), UPDATE).await.map(|_| ())
    }

    /// The newest entry of each of `names` that the lists have.
    pub(super) async fn show(&self, names: &[String]) -> Result<Vec<Entry>, CoreError> {
        let mut command = self.command("apt-cache");
        command.args(["--no-all-versions", "show"]).args(names);
        match run_text(&mut command, QUERY).await {
            Ok(text) => Ok(paragraphs(&text).iter().filter_map(Entry::from_paragraph).collect()),
            // It fails when none of the names is known.
            Err(CoreError::ProgramFailed { message, .. })
                if message.contains("No packages found") =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Names of packages that start with `prefix`.
    pub(super) async fn names(&self, prefix: &str) -> Result<Vec<String>, CoreError> {
        let text = run_text(self.command("apt-cache").args(["pkgnames", prefix]), QUERY).await?;
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Downloads `entries` into the folder `into` and gives the package files in
    /// the same order. Their checksums are compared with the signed lists by
    /// apt, and once more with the entries that the manifest will name.
    pub(super) async fn download(
        &self,
        entries: &[Entry],
        into: &Path,
    ) -> Result<Vec<PathBuf>, CoreError> {
        let mut command = self.command("apt-get");
        command.args(["-q", "download"]).current_dir(into);
        command.args(entries.iter().map(|entry| format!("{}={}", entry.name, entry.version)));
        run(&mut command, DOWNLOAD).await?;
        let (entries, into) = (entries.to_vec(), into.to_owned());
        blocking(move || entries.iter().map(|entry| verified(entry, &into)).collect()).await
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.dir.join("apt.conf"));
        command
    }

    fn configure(
        &self,
        suite: &Suite,
        with_updates: bool,
        keyring: Option<&Path>,
    ) -> Result<(), CoreError> {
        for folder in ["lists/partial", "archives/partial", "sources"] {
            let folder = self.dir.join(folder);
            fs::create_dir_all(&folder).map_err(CoreError::io("create folder", &folder))?;
        }
        let updates = suite.updates.iter().filter(|_| with_updates);
        let stanzas: Vec<_> = std::iter::once(&suite.main).chain(updates).collect();
        let sources = stanzas.iter().map(|s| deb822(s, keyring)).collect::<Vec<_>>().join("\n");
        let dir = self
            .dir
            .to_str()
            .filter(|dir| !dir.contains(['"', '\\', '\n', '*', '?', '[']))
            .ok_or_else(|| {
            CoreError::malformed(self.dir.display().to_string(), "apt cannot use such a path")
        })?;
        for (name, text) in [
            ("sources/suite.sources", sources),
            ("status", String::new()),
            ("apt.conf", configuration(dir)),
        ] {
            let path = self.dir.join(name);
            fs::write(&path, text).map_err(CoreError::io("write", &path))?;
        }
        Ok(())
    }
}

fn verified(entry: &Entry, dir: &Path) -> Result<PathBuf, CoreError> {
    // apt writes `name_version_arch.deb` with an epoch's colon as %3a.
    let version = entry.version.replace(':', "%3a");
    let path = dir.join(format!("{}_{version}_{}.deb", entry.name, entry.architecture));
    let contents = fs::read(&path).map_err(CoreError::io("read", &path))?;
    let actual = hex::encode(Sha256::digest(&contents));
    if actual == entry.sha256 {
        return Ok(path);
    }
    Err(CoreError::malformed(
        path.display().to_string(),
        format!("its SHA-256 is {actual}, not the signed {}", entry.sha256),
    ))
}

fn deb822(stanza: &Stanza, keyring: Option<&Path>) -> String {
    let signed_by = match keyring {
        Some(path) => Some(path.display().to_string()),
        None => stanza.signed_by.clone(),
    };
    let signed_by = signed_by.map(|value| format!("Signed-By: {value}\n")).unwrap_or_default();
    let architectures = if stanza.only_arch_all { "Architectures: all\n" } else { "" };
    let Stanza { uri, suite, components, .. } = stanza;
    format!(
        "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n{architectures}{signed_by}"
    )
}

/// The machine's own configuration is read before this one, so its proxies
/// stay; what it hooks into updates and what it would change in choosing
/// packages is taken away.
fn configuration(dir: &str) -> String {
    format!(
        "Dir::State \"{dir}\";\n\
         Dir::State::lists \"{dir}/lists\";\n\
         Dir::State::status \"{dir}/status\";\n\
         Dir::Cache \"{dir}\";\n\
         Dir::Cache::archives \"{dir}/archives\";\n\
         Dir::Cache::pkgcache \"pkgcache.bin\";\n\
         Dir::Cache::srcpkgcache \"srcpkgcache.bin\";\n\
         Dir::Etc::SourceList \"/dev/null\";\n\
         Dir::Etc::SourceParts \"{dir}/sources\";\n\
         Dir::Etc::Preferences \"/dev/null\";\n\
         Dir::Etc::PreferencesParts \"/dev/null\";\n\
         Dir::Log \"{dir}\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear APT::Default-Release;\n\
         APT::Update::Error-Mode \"any\";\n\
         APT::Get::AllowUnauthenticated \"false\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::AllowInsecureRepositories \"false\";\n\
         Acquire::AllowWeakRepositories \"false\";\n\
         Acquire::AllowDowngradeToInsecureRepositories \"false\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::CNF::DefaultEnabled \"false\";\n\
         Acquire::http::Timeout \"20\";\n\
         Acquire::https::Timeout \"20\";\n\
         Acquire::Retries \"1\";\n"
    )
}
