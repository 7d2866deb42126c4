//! Which php-fpm of this machine to use, and which of its extensions to load.
//!
//! The distribution's ini files are never read: what they would switch on is the machine's
//! business, and a changed default there must not change sites. The extensions that WordPress
//! needs are loaded by name from the extension folder; that works alike for Debian's PHP 8.1 to
//! 8.4 and for builds that have them compiled in.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::error::DriverError;

/// Oldest PHP that WordPress and our own code run with.
const OLDEST: (u32, u32) = (8, 1);
/// Newest version that is looked for by name.
const NEWEST_MINOR: u32 = 9;

/// Extensions that a site needs, with Debian's package for each, in loading order.
const NEEDED: &[(&str, &str)] = &[
    ("ctype", "common"),
    ("fileinfo", "common"),
    ("iconv", "common"),
    ("tokenizer", "common"),
    ("exif", "common"),
    ("mbstring", "mbstring"),
    ("curl", "curl"),
    ("gd", "gd"),
    ("intl", "intl"),
    ("zip", "zip"),
    ("dom", "xml"),
    ("xml", "xml"),
    ("simplexml", "xml"),
    ("xmlreader", "xml"),
    ("xmlwriter", "xml"),
    ("mysqlnd", "mysql"),
    ("mysqli", "mysql"),
    ("redis", "redis"),
];
/// Extensions that are loaded where they are there, and what must be loaded before which.
const WELCOME: &[&str] = &[
    "igbinary",
    "pdo",
    "pdo_mysql",
    "bcmath",
    "calendar",
    "gettext",
    "gmp",
    "imagick",
    "posix",
    "soap",
    "sockets",
    "xsl",
    "phar",
];
/// Loaded before all others that are found, because others link to them.
const FIRST: &[&str] = &["mysqlnd", "pdo", "xml", "dom", "igbinary"];

/// A PHP of this machine that can run sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhpInstall {
    /// php-fpm.
    pub fpm: PathBuf,
    /// The command line PHP of the same version, where installed.
    pub cli: Option<PathBuf>,
    /// Version as it says, such as `8.2.35`.
    pub version: String,
    /// Lines of php.ini that load the extensions.
    pub extension_lines: Vec<String>,
}

impl PhpInstall {
    /// The newest php-fpm that has every extension that sites need. Runs each candidate twice.
    ///
    /// # Errors
    /// `Invalid` when there is none, with what to install.
    pub fn detect() -> Result<Self, DriverError> {
        let mut complaints = Vec::new();
        for minor in (OLDEST.1..=NEWEST_MINOR).rev() {
            let version = format!("{}.{minor}", OLDEST.0);
            let names =
                [format!("/usr/sbin/php-fpm{version}"), format!("/usr/bin/php-fpm{version}")];
            for path in names.iter().map(Path::new).filter(|path| path.is_file()) {
                match Self::examine(path) {
                    Ok(found) => return Ok(found),
                    Err(error) => complaints.push(error.to_string()),
                }
            }
        }
        for path in ["/usr/sbin/php-fpm", "/usr/local/sbin/php-fpm"].map(Path::new) {
            if path.is_file() {
                match Self::examine(path) {
                    Ok(found) => return Ok(found),
                    Err(error) => complaints.push(error.to_string()),
                }
            }
        }
        if complaints.is_empty() {
            complaints.push(
                "not installed; run: apt-get install --no-install-recommends php-fpm php-mysql \
                 php-redis php-gd php-intl php-mbstring php-curl php-xml php-zip"
                    .to_owned(),
            );
        }
        Err(DriverError::invalid("find php-fpm 8.1 or newer", complaints.join("; ")))
    }

    /// Looks at one php-fpm.
    ///
    /// # Errors
    /// `Invalid` when it is too old or lacks extensions, with what to install.
    pub fn examine(fpm: &Path) -> Result<Self, DriverError> {
        let refuse =
            |detail: String| DriverError::invalid(format!("use {}", fpm.display()), detail);
        let version = ask(fpm, &["-n", "-v"])?
            .split_ascii_whitespace()
            .nth(1)
            .map(str::to_owned)
            .ok_or_else(|| refuse("says no version".to_owned()))?;
        let number = |part: usize| version.split('.').nth(part).and_then(|n| n.parse().ok());
        let short = (number(0).unwrap_or(0), number(1).unwrap_or(0));
        if short < OLDEST {
            return Err(refuse(format!("PHP {version} is older than 8.1")));
        }
        let compiled_in = modules(&ask(fpm, &["-n", "-m"])?);
        let dir = extension_dir(&ask(fpm, &["-n", "-i"])?)
            .ok_or_else(|| refuse("says no extension_dir".to_owned()))?;
        let (extension_lines, missing) =
            choose(&compiled_in, &|name| dir.join(format!("{name}.so")).is_file());
        if !missing.is_empty() {
            let packages: BTreeSet<String> = missing
                .iter()
                .map(|(_, package)| format!("php{}.{}-{package}", short.0, short.1))
                .collect();
            let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
            return Err(refuse(format!(
                "lacks {}; run: apt-get install --no-install-recommends {}",
                names.join(", "),
                packages.into_iter().collect::<Vec<_>>().join(" ")
            )));
        }
        let cli = [format!("/usr/bin/php{}.{}", short.0, short.1), "/usr/bin/php".to_owned()]
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.is_file());
        Ok(Self { fpm: fpm.to_path_buf(), cli, version, extension_lines })
    }
}

type Missing = Vec<(&'static str, &'static str)>;

/// The ini lines, and what is missing.
fn choose(compiled_in: &BTreeSet<String>, there: &dyn Fn(&str) -> bool) -> (Vec<String>, Missing) {
    let mut lines = Vec::new();
    let mut missing = Missing::new();
    if !compiled_in.contains("zend opcache") {
        if there("opcache") {
            lines.push("zend_extension=opcache".to_owned());
        } else {
            missing.push(("opcache", "opcache"));
        }
    }
    let wanted = NEEDED.iter().map(|(name, _)| *name).chain(WELCOME.iter().copied());
    let mut loaded: Vec<&str> =
        wanted.filter(|name| !compiled_in.contains(*name) && there(name)).collect();
    // Stable: the others keep their order.
    loaded.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    lines.extend(loaded.iter().map(|name| format!("extension={name}")));
    missing.extend(
        NEEDED.iter().filter(|(name, _)| !compiled_in.contains(*name) && !loaded.contains(name)),
    );
    (lines, missing)
}

/// Names of `-m`, in lower case (`[PHP Modules]` and the like do no harm).
fn modules(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.trim().to_ascii_lowercase()).collect()
}

fn extension_dir(text: &str) -> Option<PathBuf> {
    // -i is HTML in php-fpm: <tr><td class="e">extension_dir</td><td class="v">/usr/…</td>
    let at = text.find("extension_dir")?;
    let rest = &text[at..];
    let start = rest.find('/').filter(|at| !rest[..*at].ends_with('<')).or_else(|| {
        rest.match_indices('/').map(|(at, _)| at).find(|at| !rest[..*at].ends_with('<'))
    })?;
    let end = rest[start..].find(|c: char| c.is_whitespace() || c == '<')?;
    Some(PathBuf::from(&rest[start..start + end]))
}

fn ask(fpm: &Path, args: &[&str]) -> Result<String, DriverError> {
    let what = format!("ask {} {}", fpm.display(), args.join(" "));
    let output = Command::new(fpm)
        .args(args)
        .env_clear()
        .env("PHP_INI_SCAN_DIR", "")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| DriverError::failed(&what, error))?;
    if !output.status.success() {
        return Err(DriverError::failed(what, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_link_to_is_loaded_first() {
        let (lines, missing) = choose(&BTreeSet::new(), &|_| true);
        assert!(missing.is_empty());
        let at = |name: &str| {
            lines.iter().position(|line| *line == format!("extension={name}")).unwrap()
        };
        for (before, after) in
            [("mysqlnd", "mysqli"), ("pdo", "pdo_mysql"), ("dom", "xsl"), ("igbinary", "redis")]
        {
            assert!(at(before) < at(after), "{before} {after}");
        }
        assert_eq!(lines[0], "zend_extension=opcache");
    }

    #[test]
    fn what_is_compiled_in_is_not_loaded_and_what_is_not_there_is_named() {
        let compiled_in = BTreeSet::from(["zend opcache".to_owned(), "ctype".to_owned()]);
        let (lines, missing) = choose(&compiled_in, &|name| name != "redis" && name != "ctype");
        assert!(!lines.iter().any(|line| line.contains("ctype") || line.contains("opcache")));
        assert_eq!(missing, [("redis", "redis")]);
    }

    #[test]
    fn the_extension_folder_is_found_in_text_and_html() {
        let text = "extension_dir => /usr/lib/php/20220829 => /usr/lib/php/20220829\n";
        let html = "<td class=\"e\">extension_dir</td><td class=\"v\">/usr/lib/php/20220829</td>";
        for page in [text, html] {
            assert_eq!(extension_dir(page), Some(PathBuf::from("/usr/lib/php/20220829")));
        }
    }
}
