//! Looks into an unpacked WordPress: its versions, and whether it is whole.

use std::fs;
use std::path::Path;

use crate::error::CoreError;
use crate::version::Version;

/// Files without which no page, no installation and no login works.
const NEEDED: [&str; 9] = [
    "index.php",
    "wp-admin/includes/upgrade.php",
    "wp-admin/index.php",
    "wp-blog-header.php",
    "wp-includes/ID3/getid3.php",
    "wp-includes/PHPMailer/PHPMailer.php",
    "wp-includes/js/underscore.min.js",
    "wp-load.php",
    "wp-settings.php",
];

/// What a core says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) version: Version,
    pub(crate) requires_php: Version,
    /// Names of the default themes that work, sorted.
    pub(crate) themes: Vec<String>,
}

/// Reads the facts of the core in `dir`.
///
/// # Errors
/// [`CoreError::NotWhole`] when a needed file or every theme is missing.
pub(crate) fn inspect(dir: &Path) -> Result<Facts, CoreError> {
    let not_whole = |missing: String| CoreError::NotWhole { dir: dir.to_owned(), missing };
    let path = dir.join("wp-includes/version.php");
    let text = fs::read_to_string(&path)
        .map_err(|error| not_whole(format!("wp-includes/version.php: {error}")))?;
    let version = |name: &str| {
        let value = assigned(&text, name)
            .ok_or_else(|| not_whole(format!("wp-includes/version.php sets no ${name}")))?;
        value.parse::<Version>().map_err(|error| CoreError::malformed(format!("${name}"), error))
    };
    let facts = Facts {
        version: version("wp_version")?,
        requires_php: version("required_php_version")?,
        themes: themes(dir),
    };
    if let Some(missing) = NEEDED.iter().find(|path| !dir.join(path).is_file()) {
        return Err(not_whole(format!("{missing} is missing")));
    }
    if facts.themes.is_empty() {
        return Err(not_whole("it has no default theme".to_owned()));
    }
    Ok(facts)
}

/// The text that `$name = '…';` gives to a global variable.
fn assigned<'a>(php: &'a str, name: &str) -> Option<&'a str> {
    php.lines().find_map(|line| {
        let value = line.trim().strip_prefix('$')?.strip_prefix(name)?.trim_start();
        value.strip_prefix('=')?.trim().strip_suffix(';')?.strip_prefix('\'')?.strip_suffix('\'')
    })
}

/// Themes as WordPress accepts them (`WP_Theme`): a `style.css`, and a block
/// template or an `index.php`.
fn themes(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir.join("wp-content/themes")) else { return Vec::new() };
    let works = |theme: &Path| {
        theme.join("style.css").is_file()
            && (theme.join("templates/index.html").is_file() || theme.join("index.php").is_file())
    };
    let mut themes: Vec<String> = entries
        .flatten()
        .filter(|entry| works(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    themes.sort();
    themes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_assignments_and_not_their_documentation() {
        let php = "<?php\n/**\n * @global string $wp_version\n */\n$wp_version = '7.1.4';\n\
                   $wp_db_version = 60717;\n$required_php_version = '7.2.24';\n";
        assert_eq!(assigned(php, "wp_version"), Some("7.1.4"));
        assert_eq!(assigned(php, "required_php_version"), Some("7.2.24"));
        assert_eq!(assigned(php, "wp_db_version"), None);
    }

    #[test]
    fn a_folder_with_a_hole_is_not_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let error = inspect(dir.path()).expect_err("nothing there");
        assert!(matches!(error, CoreError::NotWhole { .. }), "{error}");
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("write");
        };
        put(
            "wp-includes/version.php",
            "<?php\n$wp_version = '6.8';\n$required_php_version = '7.4';\n",
        );
        NEEDED.iter().skip(1).for_each(|path| put(path, ""));
        put("wp-content/themes/one/style.css", "");
        let missing = |error: CoreError| error.to_string();
        assert!(missing(inspect(dir.path()).expect_err("hole")).contains("index.php is missing"));
        put("index.php", "");
        assert!(
            missing(inspect(dir.path()).expect_err("half a theme")).contains("no default theme")
        );
        put("wp-content/themes/one/templates/index.html", "");
        assert_eq!(inspect(dir.path()).expect("whole").themes, ["one"]);
    }
}
