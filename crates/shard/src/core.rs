//! WordPress core as the shard needs it: which version a tenant runs and where it is.

use std::path::Path;
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
    /// Version of the database that it works with (`$wp_db_version`); `None` when it does not say.
    pub db_version: Option<u64>,
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
        let db_version = db_version(&core.dir).await;
        Ok(ShardCore { version, dir: core.dir, db_version, template })
    }
}

/// `$wp_db_version` of a core, as `wp-includes/version.php` assigns it.
async fn db_version(core_dir: &Path) -> Option<u64> {
    let text = tokio::fs::read_to_string(core_dir.join("wp-includes/version.php")).await.ok()?;
    parse_db_version(&text)
}

fn parse_db_version(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("$wp_db_version"))?;
    line.trim_start().strip_prefix('=')?.trim().trim_end_matches(';').trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_says_which_databases_it_knows() {
        let text = "<?php\n/** @global int $wp_db_version */\n$wp_db_version = 60717;\n";
        assert_eq!(parse_db_version(text), Some(60717));
        assert_eq!(parse_db_version("<?php $x = 1;"), None);
    }
}
