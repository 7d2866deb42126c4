//! What must be there before a unit is started: folders, keys, tokens, what runs inside
//! WordPress, a WordPress core. Looks first; a second run changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use aipress_drivers::DataPaths;
use aipress_drivers::UnixIds;
use aipress_drivers::local::ensure_dir;
use aipress_drivers::local::fpm::PhpInstall;
use aipress_kit::durable;
use aipress_kit::random;
use aipress_kit::seal::Sealer;
use aipress_types::ShardId;
use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;

use crate::core;
use crate::master_key;
use crate::output;
use crate::php_files;
use crate::settings::Settings;
use crate::up::program;
use crate::wp_cli;

/// What was found and made.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The settings, with everything chosen that was open.
    pub(super) settings: Settings,
    /// The PHP of this machine.
    pub(super) php: PhpInstall,
    /// What the roles run: this program, where their users can reach it.
    pub(super) program: PathBuf,
}

/// Makes the ground.
///
/// # Errors
/// In words that say what is missing and how to get it.
pub(super) async fn lay(
    paths: &DataPaths,
    mut settings: Settings,
    wordpress: Option<&str>,
) -> anyhow::Result<Ground> {
    let php = PhpInstall::detect()?;
    program::check_reachable(paths)?;
    folders(paths, &settings)?;
    let program = program::keep(paths)?;
    settings.wordpress = Some(choose_core(paths, &settings, wordpress, &php).await?);
    settings.save(paths)?;
    php_files::install(&paths.php())?;
    if let Some(wanted) = &settings.wp_cli {
        wp_cli::install(paths, wanted).await?;
    }
    if master_key::given().is_none() {
        // A new key opens nothing of what a registry has: then meta says so, and sites go on.
        if paths.master_key().exists() || !paths.registry().exists() {
            Sealer::ensure_key_file(&paths.master_key())?;
            own(&paths.master_key(), settings.uids().meta())?;
        }
    }
    tokens(paths, &settings)?;
    Ok(Ground { settings, php, program })
}

/// The shards of this machine.
pub(super) fn shards(settings: &Settings) -> impl Iterator<Item = ShardId> {
    (1..=settings.shards).filter_map(ShardId::from_number)
}

fn folders(paths: &DataPaths, settings: &Settings) -> anyhow::Result<()> {
    let uids = settings.uids();
    let me = UnixIds::current();
    let root = paths.root();
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    for dir in [root.to_owned(), paths.run(), paths.shards()] {
        ensure_dir(&dir, me, 0o711)?;
    }
    for dir in [paths.cores(), paths.cores().join("wordpress"), paths.php(), paths.wp_cli()] {
        ensure_dir(&dir, me, 0o755)?;
    }
    if let Some(folder) = paths.program().parent() {
        ensure_dir(folder, me, 0o755)?;
    }
    ensure_dir(&paths.logs(), me, 0o700)?;
    ensure_dir(&paths.meta(), uids.meta(), 0o700)?;
    if let Some(folder) = settings.audit.path(paths).parent().filter(|folder| !folder.is_dir()) {
        ensure_dir(folder, uids.meta(), 0o700)?;
    }
    ensure_dir(&paths.edge(), uids.edge(), 0o700)?;
    for shard in shards(settings) {
        let (of, ids) = (paths.shard(shard), uids.shard(shard)?);
        ensure_dir(of.dir(), me, 0o711)?;
        ensure_dir(of.run(), me, 0o711)?;
        ensure_dir(&of.dir().join("gateway"), ids.gateway(), 0o700)?;
        // Before the gateway starts, which keeps nothing but these.
        ensure_dir(&of.sites(), me, 0o711)?;
        let logs = UnixIds { uid: me.uid, gid: ids.gateway().gid };
        ensure_dir(&of.site_logs(), logs, 0o750)?;
    }
    Ok(())
}

/// The version that new sites get: what was told now, what was chosen before, or the newest that
/// can be had. The core is there when this returns.
async fn choose_core(
    paths: &DataPaths,
    settings: &Settings,
    told: Option<&str>,
    php: &PhpInstall,
) -> anyhow::Result<String> {
    let wanted = told.or(settings.wordpress.as_deref()).unwrap_or("default");
    let wanted = wanted.parse().with_context(|| format!("WordPress version {wanted}"))?;
    let version = php.version.parse().context("version of php-fpm")?;
    let say = |line: &str| output::tell(&format!("  {line}"));
    let core = core::store(paths).ensure(&wanted, &version, &say).await?;
    aipress_cores::install_config(&core.dir, &php_files::text("wp-config.php")?)?;
    Ok(core.manifest.version.to_string())
}

/// A fresh secret for each role at each start, and their hashes for meta.
fn tokens(paths: &DataPaths, settings: &Settings) -> anyhow::Result<()> {
    let uids = settings.uids();
    let dir = paths.tokens();
    ensure_dir(&dir, UnixIds::current(), 0o711)?;
    let mut roles = vec![("edge".to_owned(), uids.edge())];
    for shard in shards(settings) {
        roles.push((shard.to_string(), uids.shard(shard)?.root()));
    }
    let mut hashes = BTreeMap::new();
    for (role, ids) in roles {
        let token = random::alphanumeric(43)?;
        let path = dir.join(&role);
        durable::write(&path, token.as_bytes(), 0o400)
            .with_context(|| format!("write {}", path.display()))?;
        own(&path, ids)?;
        hashes.insert(role, hex::encode(Sha256::digest(token.as_bytes())));
    }
    let path = roles_file(paths);
    durable::write(&path, &serde_json::to_vec(&hashes)?, 0o400)?;
    own(&path, uids.meta())
}

/// Hashes of the roles' tokens, for meta.
pub(crate) fn roles_file(paths: &DataPaths) -> PathBuf {
    paths.tokens().join("roles.json")
}

/// Gives a file to a user; without root it is the only user's already.
fn own(path: &Path, ids: UnixIds) -> anyhow::Result<()> {
    if !crate::data::is_root() {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(ids.uid), Some(ids.gid))
        .with_context(|| format!("give {} to user {}", path.display(), ids.uid))
}
