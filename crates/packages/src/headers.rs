//! What an archive holds: the headers that WordPress itself reads (`get_file_data()`,
//! `get_plugins()`, `WP_Theme`).

use aipress_types::PackageKind;
use aipress_types::package::is_package_name;
use aipress_types::package::is_package_version;

use crate::archive::Archive;
use crate::archive::Entry;
use crate::refusal::Refusal;

/// WordPress looks for headers in so many bytes of a file.
const HEAD: usize = 8 * 1024;
/// Files that are looked into for a plugin's headers.
const CANDIDATES: usize = 200;
/// Longest text of a header that is kept, in characters.
const TEXT_MAX: usize = 200;

/// A plugin or theme as its archive describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What it is.
    pub kind: PackageKind,
    /// Name of its folder.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its name for people.
    pub title: String,
    /// WordPress that it needs at least.
    pub requires: Option<String>,
    /// PHP that it needs at least.
    pub requires_php: Option<String>,
    /// Newest WordPress that it was tested with.
    pub tested: Option<String>,
}

/// Describes an archive; `wanted` decides where it could be both.
///
/// # Errors
/// When it holds neither, not what is wanted, or has no name or version that can be used.
pub fn describe(archive: &Archive, wanted: Option<PackageKind>) -> Result<Described, Refusal> {
    let name = archive.folder();
    let form = |text: String| Err(Refusal::Form(text));
    if !is_package_name(name) {
        let printable: String = name.chars().flat_map(char::escape_debug).take(100).collect();
        return form(format!(
            "its folder `{printable}` has no name that a plugin or theme can have: letters, \
             digits, `-`, `_` and `.`"
        ));
    }
    let plugin = plugin(archive)?;
    let theme = theme(archive)?;
    let (kind, found) = match (wanted, plugin, theme) {
        (Some(PackageKind::Plugin) | None, Some(found), None)
        | (Some(PackageKind::Plugin), Some(found), Some(_)) => (PackageKind::Plugin, found),
        (Some(PackageKind::Theme) | None, None, Some(found))
        | (Some(PackageKind::Theme), Some(_), Some(found)) => (PackageKind::Theme, found),
        (None, Some(_), Some(_)) => {
            return form("it could be plugin and theme: say which with kind".to_owned());
        }
        (Some(PackageKind::Plugin), None, _) => {
            return form(format!("no file of `{name}/` has the header `Plugin Name:`"));
        }
        (Some(PackageKind::Theme), _, None) => {
            return form(format!("`{name}/style.css` has no header `Theme Name:`"));
        }
        (None, None, None) => {
            return form(format!(
                "it is neither plugin nor theme: no file of `{name}/` has the header `Plugin \
                 Name:`, and `{name}/style.css` has no `Theme Name:`"
            ));
        }
    };
    let Some(version) = found.version else {
        return form(format!("its header has no `Version:`, by which a {kind} is told"));
    };
    if !is_package_version(&version) {
        return form(format!("its `Version: {version}` is no version such as 5.3.1"));
    }
    Ok(Described {
        kind,
        name: name.to_owned(),
        version,
        title: found.title,
        requires: found.requires,
        requires_php: found.requires_php,
        tested: found.tested.or(readme_tested(archive)?),
    })
}

struct Found {
    title: String,
    version: Option<String>,
    requires: Option<String>,
    requires_php: Option<String>,
    tested: Option<String>,
}

fn found(head: &[u8], title: &str) -> Option<Found> {
    Some(Found {
        title: header(head, title)?,
        version: header(head, "Version"),
        requires: header(head, "Requires at least"),
        requires_php: header(head, "Requires PHP"),
        tested: header(head, "Tested up to"),
    })
}

/// The headers of the plugin's main file: the one of its folder's name, else the first that has
/// any.
fn plugin(archive: &Archive) -> Result<Option<Found>, Refusal> {
    let main = format!("{}.php", archive.folder());
    let mut files: Vec<&Entry> = archive
        .entries()
        .iter()
        .filter(|entry| !entry.is_dir && !entry.path.contains('/') && entry.path.ends_with(".php"))
        .collect();
    files.sort_by_key(|entry| (entry.path != main, entry.path.clone()));
    for entry in files.into_iter().take(CANDIDATES) {
        if let Some(found) = found(&archive.head(entry, HEAD)?, "Plugin Name") {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn theme(archive: &Archive) -> Result<Option<Found>, Refusal> {
    match file(archive, "style.css") {
        Some(style) => Ok(found(&archive.head(style, HEAD)?, "Theme Name")),
        None => Ok(None),
    }
}

/// Plugins have it in their readme only.
fn readme_tested(archive: &Archive) -> Result<Option<String>, Refusal> {
    match file(archive, "readme.txt") {
        Some(readme) => Ok(header(&archive.head(readme, HEAD)?, "Tested up to")),
        None => Ok(None),
    }
}

fn file<'a>(archive: &'a Archive, path: &str) -> Option<&'a Entry> {
    archive.entries().iter().find(|entry| !entry.is_dir && entry.path == path)
}

/// The value of a header, as `get_file_data()` of WordPress finds it: at the beginning of a line,
/// behind nothing but what comments begin with.
pub fn header(head: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    text.split(['\n', '\r']).find_map(|line| {
        let line = line.trim_start_matches('\u{feff}');
        let line = line.strip_prefix("<?php").unwrap_or(line);
        let line = line.trim_start_matches([' ', '\t', '/', '*', '#', '@']);
        let (found, value) = line.split_once(':')?;
        if !found.eq_ignore_ascii_case(name) {
            return None;
        }
        // What ends a comment or PHP ends the value (`_cleanup_header_comment()`).
        let value = value.split("*/").next()?.split("?>").next()?;
        let value: String =
            value.trim().chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
        (!value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_where_wordpress_finds_them() {
        let plugin = b"<?php\r\n/**\r\n * Plugin Name: Hello, World! */ ?>\r\n * version:1.2\n# Requires PHP:  8.1 \n";
        assert_eq!(header(plugin, "Plugin Name").as_deref(), Some("Hello, World!"));
        assert_eq!(header(plugin, "Version").as_deref(), Some("1.2"));
        assert_eq!(header(plugin, "Requires PHP").as_deref(), Some("8.1"));
        assert_eq!(header(plugin, "Requires at least"), None);
        assert_eq!(header(b"<?php /* Plugin Name: X */", "Plugin Name").as_deref(), Some("X"));
        assert_eq!(header(b"echo 'Plugin Name: X';", "Plugin Name"), None);
        assert_eq!(header(b"Version: */", "Version"), None);
    }
}
