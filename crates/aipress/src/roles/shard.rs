//! A shard's control plane.

use std::sync::Arc;

use aipress_drivers::UnixIds;
use aipress_drivers::local;
use aipress_drivers::local::fpm::PhpInstall;
use aipress_kit::clock::Clock;
use aipress_shard::FastCgiVisitor;
use aipress_shard::LocalCores;
use aipress_shard::ShardConfig;
use aipress_shard::ShardParts;
use aipress_shard::WordPressInstaller;
use aipress_types::ShardId;
use aipress_types::capacity::SLOTS_PER_SHARD;
use anyhow::Context;

use crate::core;
use crate::data;
use crate::php_files;
use crate::roles::Start;
use crate::roles::meta_endpoint;
use crate::roles::socket;
use crate::roles::token;
use crate::roles::units::SupervisorUnits;
use crate::wp_cli;

/// Runs it.
pub(super) async fn run(start: Start, id: ShardId) -> anyhow::Result<()> {
    let Start { paths, settings, lifecycle, .. } = start;
    let (of, ids) = (paths.shard(id), settings.uids().shard(id)?);
    let php = PhpInstall::detect()?;
    let cli = php.cli.clone().context("php's command line program is not installed")?;
    let php_dir = php_files::dir(&paths.php());
    let installer_ids: Option<UnixIds> = data::is_root().then(|| ids.installer());
    let template_php_dir = php_dir.clone();
    let cores = LocalCores {
        store: core::store(&paths),
        php: php.version.parse().context("version of php-fpm")?,
        default: settings.wordpress.clone().unwrap_or_else(|| "default".to_owned()),
        wp_config: php_files::text("wp-config.php")?,
        template: Box::new(move |_, core_dir| {
            Arc::new(WordPressInstaller {
                php: cli.clone(),
                php_dir: template_php_dir.clone(),
                core_dir,
                run_as: installer_ids,
            })
        }),
    };
    let archive = wp_cli::installed(&paths, &settings);
    let config = ShardConfig {
        id,
        region: settings.region.clone(),
        slots: SLOTS_PER_SHARD,
        limits: settings.limits.overrides(),
        php_dir,
        mail: settings.mail.for_shard(&settings.base_domain)?,
        has_wp_cli: archive.is_some(),
        meta: meta_endpoint(&paths),
        role_token: token(&paths, &id.to_string())?,
        control_url: format!("unix:{}", of.control_socket().display()),
        gateway_url: format!("unix:{}", of.gateway_socket().display()),
        callers: vec![settings.uids().meta().uid, ids.gateway().uid],
        paths: of.clone(),
    };
    let programs = local::Programs {
        php: php.cli.clone(),
        php_dir: config.php_dir.clone(),
        wp_cli: archive,
        confined_by: Some(paths.program()),
    };
    let units = SupervisorUnits { run_dir: paths.run() };
    let parts = ShardParts {
        drivers: local::open(&of, ids, Vec::new(), Arc::new(units), programs)?,
        cores: Arc::new(cores),
        visitor: Arc::new(FastCgiVisitor { ids }),
        clock: Clock::system(),
        listener: socket("control")?,
        mail: socket("mail")?,
    };
    aipress_shard::run(config, parts, lifecycle).await?;
    Ok(())
}
