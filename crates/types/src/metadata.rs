//! What people call a tenant and how they group it. Nothing of it reaches the site.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::spec::FieldError;
use crate::spec::escape;

/// Longest display name, in characters.
pub const DISPLAY_NAME_MAX: usize = 80;
/// Labels of a tenant at most.
pub const LABELS_MAX: usize = 32;
/// Longest name of a label, and longest value, in bytes.
pub const LABEL_MAX: usize = 63;

/// What people call a tenant and how they group it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantMetadata {
    /// What people call it: 1 to 80 characters. The name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 80)]
    pub display_name: Option<String>,
    /// Labels to find and group it by, at most 32. Name and value have at most 63 letters, digits,
    /// `.`, `_`, `-` (a name also `/`) and begin and end with a letter or digit; a value may be
    /// empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl TenantMetadata {
    /// Every complaint, with pointers below `base` (such as `/metadata`).
    pub fn check(&self, base: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(name) = &self.display_name {
            let length = name.chars().count();
            if !(1..=DISPLAY_NAME_MAX).contains(&length) || name.chars().any(char::is_control) {
                errors.push(FieldError::new(
                    format!("{base}/displayName"),
                    format!("has 1 to {DISPLAY_NAME_MAX} characters and no line breaks"),
                ));
            }
        }
        if self.labels.len() > LABELS_MAX {
            errors.push(FieldError::new(
                format!("{base}/labels"),
                format!("a site has at most {LABELS_MAX} labels, these are {}", self.labels.len()),
            ));
        }
        for (name, value) in &self.labels {
            let complaint = if !is_label_name(name) {
                "the name of a label has 1 to 63 letters, digits, `.`, `_`, `-` and `/`, and begins \
                 and ends with a letter or digit"
            } else if !is_label_value(value) {
                "the value of a label has at most 63 letters, digits, `.`, `_` and `-`, and begins \
                 and ends with a letter or digit"
            } else {
                continue;
            };
            errors.push(FieldError::new(format!("{base}/labels/{}", escape(name)), complaint));
        }
        errors
    }
}

/// Whether `text` can be the name of a label.
pub fn is_label_name(text: &str) -> bool {
    !text.is_empty() && is_label(text, b"._-/")
}

/// Whether `text` can be the value of a label.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label(text, b"._-")
}

fn is_label(text: &str, between: &[u8]) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_MAX
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || between.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, value: &str) -> Vec<FieldError> {
        let labels = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        TenantMetadata { display_name: None, labels }.check("/metadata")
    }

    #[test]
    fn labels_are_words() {
        for (name, value) in
            [("env", "prod"), ("a.b/c-d_e", ""), ("9", "1.2-x"), ("E", "É".trim_matches('É'))]
        {
            assert_eq!(label(name, value), [], "{name}={value}");
        }
        let long = "a".repeat(64);
        for (name, value) in [
            ("", "x"),
            ("-a", "x"),
            ("a", "x/y"),
            ("a", "x y"),
            ("a", "-"),
            (&long, ""),
            ("a", &long),
            ("ä", ""),
        ] {
            assert_eq!(label(name, value).len(), 1, "{name}={value}");
        }
        assert_eq!(label("a/b", "x y")[0].pointer, "/metadata/labels/a~1b");
    }

    #[test]
    fn a_display_name_is_one_line() {
        for (name, good) in [("Anna's Bakery ☕", true), ("", false), ("a\nb", false)] {
            let metadata =
                TenantMetadata { display_name: Some(name.to_owned()), ..Default::default() };
            assert_eq!(metadata.check("/metadata").is_empty(), good, "{name:?}");
        }
        let long = TenantMetadata { display_name: Some("x".repeat(81)), ..Default::default() };
        assert_eq!(long.check("")[0].pointer, "/displayName");
    }
}
