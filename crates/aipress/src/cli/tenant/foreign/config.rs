//! `wp-config.php` of a foreign site and what stands beside it, read as text: what of it does
//! nothing here.

use aipress_archive::Finding;
use aipress_archive::Level;

/// Constants of every `wp-config.php`; the platform has its own.
const USUAL: &[&str] = &[
    "ABSPATH",
    "AUTH_KEY",
    "AUTH_SALT",
    "DB_CHARSET",
    "DB_COLLATE",
    "DB_HOST",
    "DB_NAME",
    "DB_PASSWORD",
    "DB_USER",
    "LOGGED_IN_KEY",
    "LOGGED_IN_SALT",
    "MULTISITE",
    "NONCE_KEY",
    "NONCE_SALT",
    "SECURE_AUTH_KEY",
    "SECURE_AUTH_SALT",
    "WP_DEBUG",
    "WP_DEBUG_DISPLAY",
    "WP_DEBUG_LOG",
];
/// Constants that mean something else here, or nothing: what becomes of them.
const KNOWN: &[(&str, Level, &str)] = &[
    ("WP_CONTENT_DIR", Level::Warning, "wp-content is where WordPress expects it: check its paths"),
    (
        "WP_CONTENT_URL",
        Level::Warning,
        "wp-content is where WordPress expects it: check its addresses",
    ),
    ("WP_PLUGIN_DIR", Level::Warning, "plugins are in wp-content/plugins here"),
    ("UPLOADS", Level::Warning, "uploads are in wp-content/uploads here"),
    ("CUSTOM_USER_TABLE", Level::Warning, "users are in the table wp_users here"),
    ("CUSTOM_USER_META_TABLE", Level::Warning, "users' data is in the table wp_usermeta here"),
    ("WP_HOME", Level::Note, "the address is the platform's"),
    ("WP_SITEURL", Level::Note, "the address is the platform's"),
    ("WP_CACHE", Level::Note, "pages are cached by the platform's edge"),
    ("WP_MEMORY_LIMIT", Level::Note, "set php.settings in the site's document instead"),
    ("WP_MAX_MEMORY_LIMIT", Level::Note, "set php.settings in the site's document instead"),
    ("DISABLE_WP_CRON", Level::Note, "scheduled work runs here"),
];
/// Constants that are named one by one.
const NAMED_MAX: usize = 20;
/// Extensions of PHP that the platform installs, beside those that are always in it.
const EXTENSIONS: &[&str] = &[
    "calendar",
    "ctype",
    "curl",
    "date",
    "dom",
    "exif",
    "fileinfo",
    "filter",
    "ftp",
    "gd",
    "gettext",
    "hash",
    "iconv",
    "intl",
    "json",
    "libxml",
    "mbstring",
    "mysqli",
    "mysqlnd",
    "openssl",
    "pcre",
    "pdo",
    "pdo_mysql",
    "phar",
    "posix",
    "random",
    "redis",
    "reflection",
    "session",
    "shmop",
    "simplexml",
    "sockets",
    "sodium",
    "spl",
    "standard",
    "sysvmsg",
    "sysvsem",
    "sysvshm",
    "tokenizer",
    "xml",
    "xmlreader",
    "xmlwriter",
    "xsl",
    "zip",
    "zlib",
];

/// The value that a line of PHP assigns to a variable: a text in quotes. Comments are skipped.
pub(super) fn assigned(text: &str, variable: &str) -> Option<String> {
    text.lines().map(str::trim_start).find_map(|line| {
        let rest = line.strip_prefix(variable)?.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        rest.get(1..)?.split(quote).next().map(str::to_owned)
    })
}

/// The prefix of tables.
pub(super) fn table_prefix(config: &str) -> Option<String> {
    assigned(config, "$table_prefix")
}

/// Constants and their values, as they are written. Comments of a line are skipped.
fn constants(config: &str) -> impl Iterator<Item = (String, String)> {
    config.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("define")?.trim_start().strip_prefix('(')?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (name, rest) = rest.get(1..)?.split_once(quote)?;
        let value = rest.trim_start().strip_prefix(',')?.split(");").next()?.trim();
        Some((name.to_owned(), value.to_owned()))
    })
}

/// Whether it is a network of sites.
pub(super) fn is_multisite(config: &str) -> bool {
    constants(config).any(|(name, value)| {
        let value = value.trim_end_matches(')').trim().to_ascii_lowercase();
        name == "MULTISITE" && matches!(value.as_str(), "true" | "1" | "'1'")
    })
}

/// What `wp-config.php` says that does nothing here.
pub(super) fn findings(config: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut own = Vec::new();
    for (name, _) in constants(config) {
        if let Some((_, level, what)) = KNOWN.iter().find(|(known, ..)| *known == name) {
            let message = format!("wp-config.php sets {name}, which is not taken: {what}");
            found.push(Finding::new(*level, "constant", message));
        } else if !USUAL.contains(&name.as_str()) && !own.contains(&name) {
            own.push(name);
        }
    }
    if !own.is_empty() {
        let more = own.len().saturating_sub(NAMED_MAX);
        own.truncate(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        found.push(Finding::new(
            Level::Warning,
            "constants",
            format!(
                "wp-config.php is not taken; what it sets is missing here: {}{more}. Put what a \
                 plugin needs into a must-use plugin (wp-content/mu-plugins)",
                own.join(", ")
            ),
        ));
    }
    found
}

/// Extensions that a plugin's `composer.json` asks for, and that are not here.
pub(super) fn missing_extensions(composer: &str) -> Vec<String> {
    let Ok(parsed) = serde_json::from_str::<serde_json::Value>(composer) else {
        return Vec::new();
    };
    let wanted = parsed["require"].as_object().into_iter().flatten();
    wanted
        .filter_map(|(name, _)| name.strip_prefix("ext-"))
        .filter(|name| !EXTENSIONS.contains(&name.to_ascii_lowercase().as_str()))
        .map(|name| name.chars().take(40).collect())
        .collect()
}

/// The encoder of a PHP file that only runs with a loader of its own.
pub(super) fn encoder(head: &str) -> Option<&'static str> {
    let head = head.get(..head.len().min(2_000)).unwrap_or(head).to_ascii_lowercase();
    ["ionCube", "SourceGuardian", "Zend Guard"]
        .into_iter()
        .find(|name| head.contains(&name.to_ascii_lowercase()) && head.contains("load"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wp_config_is_read_as_text() {
        let config = "<?php\n// $table_prefix = 'no_';\n$table_prefix  =  \"x9_\"; // here\n";
        assert_eq!(table_prefix(config).as_deref(), Some("x9_"));
        assert_eq!(table_prefix("<?php\n"), None);
        assert!(is_multisite("define( 'MULTISITE', true );"));
        assert!(is_multisite("\tdefine(\"MULTISITE\", 1);"));
        assert!(!is_multisite("// define( 'MULTISITE', true );"));
        assert!(!is_multisite("define('MULTISITE', false);"));
    }

    #[test]
    fn what_wp_config_sets_is_told() {
        let config = "define('DB_NAME', 'x');\ndefine('WP_CACHE', true);\n\
                      define( 'UPLOADS', 'media' );\ndefine('STRIPE_KEY', 'sk_secret');\n";
        let found = findings(config);
        let told: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(found.len(), 3, "{told:?}");
        assert!(told[0].contains("WP_CACHE") && told[1].contains("wp-content/uploads"));
        assert!(told[2].contains("STRIPE_KEY") && !told[2].contains("sk_secret"), "no value");
    }

    #[test]
    fn what_php_lacks_is_told() {
        let composer = r#"{"require":{"php":">=7","ext-gd":"*","ext-imagick":"*"}}"#;
        assert_eq!(missing_extensions(composer), ["imagick"]);
        assert!(missing_extensions("{").is_empty());
        let encoded = "<?php //0046b\nif(!extension_loaded('ionCube Loader')){die('…');}";
        assert_eq!(encoder(encoded), Some("ionCube"));
        assert_eq!(encoder("<?php // nothing"), None);
    }
}
