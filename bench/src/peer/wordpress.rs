//! Plain WordPress: its files with a `wp-config.php` as its handbook has it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::Database;
use super::DatabaseName;
use crate::platform::run_quiet;

/// Copies the core into `dir` and configures it.
pub(crate) async fn install_files(
    core_dir: &Path,
    database: &Database,
    dir: &Path,
) -> anyhow::Result<PathBuf> {
    let root = dir.join("wordpress");
    let mut copy = Command::new("cp");
    copy.arg("--recursive").arg(core_dir).arg(&root);
    run_quiet(copy).await?;
    let config = root.join("wp-config.php");
    // The core's own may be read-only.
    let _ = std::fs::remove_file(&config);
    std::fs::write(&config, configuration(database))?;
    let mut open = Command::new("chmod");
    open.args(["--recursive", "u=rwX,go=rX"]).arg(&root);
    run_quiet(open).await?;
    Ok(root)
}

/// `wp-config.php`. The cron trigger is off, as WordPress's handbook advises for busy sites: a
/// visitor of the peer pays nothing for it.
fn configuration(database: &Database) -> String {
    let name = match &database.name {
        DatabaseName::Is(name) => format!("'{name}'"),
        DatabaseName::InFile(path) => format!("trim( file_get_contents( '{}' ) )", path.display()),
    };
    let mut text = format!(
        "<?php\ndefine( 'DB_NAME', {name} );\ndefine( 'DB_USER', '{}' );\n\
         define( 'DB_PASSWORD', '{}' );\ndefine( 'DB_HOST', 'localhost:{}' );\n\
         define( 'DB_CHARSET', 'utf8mb4' );\ndefine( 'DB_COLLATE', '' );\n\
         define( 'DISABLE_WP_CRON', true );\ndefine( 'WP_DEBUG', false );\n",
        database.user,
        database.password,
        database.socket.display()
    );
    for salt in ["AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"] {
        for kind in ["KEY", "SALT"] {
            text.push_str(&format!(
                "define( '{salt}_{kind}', 'a phrase of this benchmark, {salt} {kind}' );\n"
            ));
        }
    }
    text.push_str(
        "$table_prefix = 'wp_';\n\
         if ( ! defined( 'ABSPATH' ) ) {\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}\n\
         require_once ABSPATH . 'wp-settings.php';\n",
    );
    text
}
