//! What a role gives up before it does anything: by its own hand, as the user that it is by then.
//!
//! Edge, gateway and meta read what strangers send, and have a [`Sandbox`]. A shard's control plane
//! makes files for all its sites, starts their commands and mounts for them: it stays root, with the
//! rights and calls that this takes.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aipress_drivers::DataPaths;
use aipress_kit::sandbox::Controls;
use aipress_kit::sandbox::Left;
use aipress_kit::sandbox::Network;
use aipress_kit::sandbox::Sandbox;
use aipress_kit::sandbox::keep_control_plane;
use anyhow::Context;
use rustix::process::DumpableBehavior;
use rustix::process::set_dumpable_behavior;

use crate::args::Role;
use crate::core;
use crate::exit::Failure;
use crate::master_key;
use crate::settings::Settings;
use crate::up::FAULT_DIR_VARIABLE;

/// What a role asked of the machine while it could.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The version of the PHP that runs the sites; asking is running it.
    pub(crate) php: Option<String>,
}

/// Confines this process to what the role needs. Called while it has one thread.
///
/// # Errors
/// When something that the role needs is missing.
pub(crate) fn confine(data: Option<&Path>, role: &Role) -> Result<Asked, Failure> {
    let paths = crate::data::paths(data)?;
    hide(&paths)?;
    let settings = Settings::load(&paths)?;
    let mut asked = Asked::default();
    let sandbox = match role {
        Role::Meta => {
            asked.php = core::php().ok().map(|version| version.to_string());
            meta(&paths, &settings)
        }
        Role::Edge => {
            Sandbox::new(Network::Unix).read(paths.tokens().join("edge")).write(paths.edge())
        }
        Role::Gateway { id } => {
            let of = paths.shard(*id);
            Sandbox::new(Network::Unix)
                .read(paths.cores())
                .read(paths.php())
                .read(of.sites())
                .write(of.site_logs())
                .write(of.dir().join("gateway"))
        }
        Role::Shard { .. } => {
            control_plane()?;
            return Ok(asked);
        }
    };
    let controls = with_faults(sandbox.read(paths.config())).enter().context("confine the role")?;
    if controls != (Controls { files: true, calls: true }) {
        tracing::warn!(
            landlock = controls.files,
            seccomp = controls.calls,
            "this kernel confines the role in part only"
        );
    }
    Ok(asked)
}

/// No core file has its secrets, and `/proc` shows its environment to root only. Without root the
/// supervisor is nobody else, and could not tell any more which process is which.
fn hide(paths: &DataPaths) -> anyhow::Result<()> {
    let root = paths.root();
    let folder = std::fs::metadata(root).with_context(|| format!("look at {}", root.display()))?;
    if folder.uid() == 0 {
        set_dumpable_behavior(DumpableBehavior::NotDumpable).context("keep memory off the disk")?;
    }
    Ok(())
}

fn control_plane() -> anyhow::Result<()> {
    let left = keep_control_plane().context("confine the role")?;
    if left != (Left { rights: true, calls: true }) {
        tracing::warn!(
            rights = left.rights,
            seccomp = left.calls,
            "this machine confines the control plane in part only"
        );
    }
    Ok(())
}

fn meta(paths: &DataPaths, settings: &Settings) -> Sandbox {
    let mut sandbox = Sandbox::new(Network::Outgoing).read(paths.tokens()).write(paths.meta());
    // One that is lost is meta's to tell of.
    if master_key::given().is_none() && paths.master_key().exists() {
        sandbox = sandbox.read(paths.master_key());
    }
    if let Some(folder) = settings.audit.path(paths).parent().filter(|folder| folder.is_dir()) {
        sandbox = sandbox.write(folder);
    }
    // By its folder: who renews the authorities puts a new file in the old one's place.
    let authorities = settings.webhooks.authorities.as_deref();
    match authorities.and_then(Path::parent).filter(|folder| folder.is_dir()) {
        Some(folder) => sandbox.read(folder),
        None => sandbox,
    }
}

/// A debug build removes a file there before it is killed.
fn with_faults(sandbox: Sandbox) -> Sandbox {
    match std::env::var_os(FAULT_DIR_VARIABLE).filter(|_| cfg!(debug_assertions)) {
        Some(folder) => sandbox.write(Path::new(&folder)),
        None => sandbox,
    }
}
