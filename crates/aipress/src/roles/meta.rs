//! The meta control plane.

use aipress_kit::clock::Clock;
use aipress_kit::http::outgoing::Trust;
use aipress_meta::CheckpointConfig;
use aipress_meta::Federation;
use aipress_meta::MasterKey;
use aipress_meta::MetaConfig;
use aipress_meta::PackagesConfig;
use aipress_meta::SiteUrls;
use aipress_meta::StreamLimits;
use aipress_meta::WebhookConfig;

use crate::master_key;
use crate::roles::Start;
use crate::roles::socket;
use crate::up::roles_file;

/// Runs it.
pub(super) async fn run(start: Start) -> anyhow::Result<()> {
    let Start { paths, settings, lifecycle, asked } = start;
    let master_key = match master_key::given() {
        Some(hex) => MasterKey::Hex(hex.clone()),
        None => MasterKey::File(paths.master_key()),
    };
    let config = MetaConfig {
        registry_path: paths.registry(),
        master_key,
        public: socket("public")?,
        internal: socket("internal")?,
        role_tokens: roles_file(&paths),
        own_token: None,
        federation: Federation { shards: settings.shards },
        sites: SiteUrls {
            scheme: "http".to_owned(),
            base_domain: settings.base_domain.clone(),
            public_port: settings.listen.port(),
            console_host: settings.console_host.clone(),
        },
        admin_token_file: paths.admin_token(),
        php: asked.php.as_deref().map(branch),
        streams: StreamLimits {
            total: settings.streams.total,
            per_caller: settings.streams.per_user,
        },
        webhooks: WebhookConfig {
            allow_private: settings.webhooks.allow_private,
            trust: settings.webhooks.authorities.clone().map_or(Trust::System, Trust::File),
        },
        packages: PackagesConfig::new(paths.packages(), settings.directory.clone()),
        checkpoints: CheckpointConfig::new(settings.audit.path(&paths)),
        clock: Clock::system(),
    };
    aipress_meta::run(config, lifecycle).await?;
    Ok(())
}

/// `8.2` of `8.2.29`: what a site may ask for.
fn branch(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}
