//! What PHP the plugins and themes of a foreign site ask for, beside that of the platform.

use aipress_archive::Finding;
use aipress_archive::Level;
use aipress_archive::inspect::shown;
use aipress_packages::headers::header;

/// WordPress looks for headers in so many bytes of a file.
const HEAD: usize = 8 * 1024;

/// Plugins and themes with the PHP that each asks for.
#[derive(Debug, Default)]
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    /// Reads the headers of a file that may be a plugin's main file.
    pub(super) fn plugin(&mut self, name: &[u8], text: &str) {
        self.read("plugin", name, "Plugin Name", text);
    }

    /// Reads the headers of a theme's `style.css`.
    pub(super) fn theme(&mut self, name: &[u8], text: &str) {
        self.read("theme", name, "Theme Name", text);
    }

    fn read(&mut self, what: &str, name: &[u8], title: &str, text: &str) {
        let head = text.as_bytes();
        let head = head.get(..HEAD).unwrap_or(head);
        let version = header(head, "Requires PHP").filter(|version| !parts(version).is_empty());
        if let (Some(_), Some(version)) = (header(head, title), version) {
            let version = version.chars().take(20).collect();
            self.0.push((format!("{what} `{}`", shown(name)), version));
        }
    }

    /// What is worth telling, where the platform has this PHP; `None` where it can't be asked.
    pub(super) fn findings(&self, here: Option<&str>) -> Vec<Finding> {
        let newer = |version: &str| here.is_some_and(|here| is_newer(version, here));
        let mut found: Vec<Finding> = self
            .0
            .iter()
            .filter(|(_, version)| newer(version))
            .map(|(who, version)| {
                let here = here.unwrap_or_default();
                let message = format!(
                    "{who} asks for PHP {version}, and PHP here is {here}: WordPress does not \
                     activate it, and it may break pages; take an older release of it"
                );
                Finding::new(Level::Warning, "php_too_old", message)
            })
            .collect();
        let most = self.0.iter().max_by_key(|(_, version)| parts(version));
        if let Some((who, version)) = most {
            let here = match here {
                Some(here) => format!("PHP here is {here}"),
                None => "what PHP is here could not be asked".to_owned(),
            };
            let message = format!(
                "of the plugins and themes {} ask for a PHP version, the newest is {version} \
                 ({who}); {here}",
                self.0.len()
            );
            found.push(Finding::new(Level::Note, "requires_php", message));
        }
        found
    }
}

/// The numbers of a version; none when it is no version.
fn parts(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.trim().parse().ok()).collect()
}

/// Whether a version is newer than the platform's, as far as that is told: 8.2 is any 8.2.
fn is_newer(version: &str, here: &str) -> bool {
    let here = parts(here);
    let asked: Vec<u32> = parts(version).into_iter().take(here.len()).collect();
    asked > here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_more_than_there_is_is_named() {
        let mut asked = Asked::default();
        asked.plugin(b"shop", "<?php\n/*\n * Plugin Name: Shop\n * Requires PHP: 8.3\n */");
        asked.plugin(b"old", "<?php\n/* Plugin Name: Old\nRequires PHP: 5.6 */");
        asked.plugin(b"part", "<?php\n/* Requires PHP: 9.9 */");
        asked.plugin(b"odd", "<?php\n/* Plugin Name: Odd\nRequires PHP: any */");
        asked.theme(b"bread", "/*\nTheme Name: Bread\nRequires PHP: 8.2.7\n*/");
        let told = |here| -> Vec<String> {
            asked.findings(here).into_iter().map(|finding| finding.message).collect()
        };
        let here = told(Some("8.2"));
        assert_eq!(here.len(), 2, "{here:?}");
        assert!(here[0].contains("plugin `shop` asks for PHP 8.3, and PHP here is 8.2"));
        assert!(here[1].contains("3 ask for a PHP version, the newest is 8.3 (plugin `shop`)"));
        assert_eq!(told(Some("8.4")).len(), 1);
        assert!(told(None).concat().contains("could not be asked"));
        assert_eq!(told(Some("8.1")).len(), 3);
        assert!(Asked::default().findings(Some("8.2")).is_empty());
    }
}
