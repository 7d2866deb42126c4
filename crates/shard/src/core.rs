//! WordPress core as the shard needs it: which version a tenant runs and where it is.

use std::path::PathBuf;
use std::sync::Arc;

use aipress_cores::CoreError;
use aipress_cores::CoreStore;
use aipress_cores::Version;
use aipress_cores::Wanted;
use aipress_drivers::TemplateSource;
use async_trait::async_trait;

/// A core version that is there.
#[derive(Clone)]
pub struct ShardCore {
    /// Its full version.
    pub version: String,
    /// Its folder.
    pub dir: PathBuf,
    /// What fills a template database of it.
    pub template: Arc<dyn TemplateSource>,
}

/// Where cores come from: the folder of cores in the real platform, a list in tests.
#[async_trait]
pub trait CoreSource: Send + Sync {
    /// The core that answers to `wanted` (`None`: the default), fetched if it must be.
    ///
    /// # Errors
    /// A text for people: no such version, no way to get it, PHP too old for it.
    async fn resolve(&self, wanted: Option<&str>) -> Result<ShardCore, String>;
}

/// Makes the source of a core's template database from its version and folder.
pub type TemplateMaker = Box<dyn Fn(&str, PathBuf) -> Arc<dyn TemplateSource> + Send + Sync>;

/// The folder of cores of this machine.
pub struct LocalCores {
    /// The folder.
    pub store: CoreStore,
    /// The PHP at hand.
    pub php: Version,
    /// Version that a site gets which asks for none.
    pub default: String,
    /// Text of the `wp-config.php` that is put into each core.
    pub wp_config: String,
    /// Makes the source of a core's template.
    pub template: TemplateMaker,
}

#[async_trait]
impl CoreSource for LocalCores {
    async fn resolve(&self, wanted: Option<&str>) -> Result<ShardCore, String> {
        let wanted: Wanted =
            wanted.unwrap_or(&self.default).parse().map_err(|error| format!("{error}"))?;
        let say = |line: &str| tracing::info!(line, "core");
        let in_words = |error: CoreError| error.to_string();
        let core = self.store.ensure(&wanted, &self.php, &say).await.map_err(in_words)?;
        aipress_cores::install_config(&core.dir, &self.wp_config).map_err(in_words)?;
        let version = core.manifest.version.to_string();
        let template = (self.template)(&version, core.dir.clone());
        Ok(ShardCore { version, dir: core.dir, template })
    }
}
