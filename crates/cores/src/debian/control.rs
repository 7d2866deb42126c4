//! Debian control data as apt writes it: paragraphs of `Field: value` lines
//! (Debian Policy, chapter 5), used by package lists and by deb822 sources.

/// One paragraph: names (as written) and values; continuation lines are joined
/// by newlines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paragraph(Vec<(String, String)>);

impl Paragraph {
    /// The value of a field; names have no case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// A field's value as words.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        self.get(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }
}

/// Splits `text` into paragraphs. Lines that start with `#` are comments.
pub(super) fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut found = Vec::new();
    let mut current = Paragraph::default();
    for line in text.lines() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            if !current.0.is_empty() {
                found.push(std::mem::take(&mut current));
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = current.0.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            current.0.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    if !current.0.is_empty() {
        found.push(current);
    }
    found
}

/// What is needed of a package in a signed package list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) architecture: String,
    /// Names in `Depends`, alternatives one after the other.
    pub(super) depends: Vec<String>,
    pub(super) sha256: String,
    /// Size of the package file in bytes.
    pub(super) size: u64,
}

impl Entry {
    /// `None` when a field is missing without which it is of no use.
    pub(super) fn from_paragraph(paragraph: &Paragraph) -> Option<Entry> {
        let text = |name| paragraph.get(name).map(str::to_owned);
        Some(Entry {
            name: text("Package")?,
            version: text("Version")?,
            architecture: text("Architecture")?,
            depends: depends(paragraph.get("Depends").unwrap_or_default()),
            sha256: text("SHA256")?,
            size: paragraph.get("Size")?.parse().ok()?,
        })
    }
}

fn depends(value: &str) -> Vec<String> {
    value
        .split([',', '|'])
        .filter_map(|clause| clause.split(['(', '[', '<', ':']).next())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_package_entry() {
        let text = "Package: wordpress\nVersion: 7.1.4+dfsg1-1\nArchitecture: all\n\
                    Depends: apache2 | httpd, php-mysql:any | php-mysqlnd, libjs-lodash (>= 4.18.1+dfsg1)\n\
                    Description: weblog manager\n several\n .\n lines\nSize: 14363680\nSHA256: 0c25\n\n\
                    Package: other\n";
        let found = paragraphs(text);
        assert_eq!(found.len(), 2);
        let entry = Entry::from_paragraph(&found[0]).expect("entry");
        assert_eq!(entry.depends, ["apache2", "httpd", "php-mysql", "php-mysqlnd", "libjs-lodash"]);
        assert_eq!((entry.size, entry.sha256.as_str()), (14_363_680, "0c25"));
        assert_eq!(Entry::from_paragraph(&found[1]), None);
    }
}
