//! What a site's WordPress is asked to be.

use serde::Deserialize;
use serde::Serialize;

use super::FieldError;
use super::scalar;

/// Longest title, in characters.
pub const TITLE_MAX: usize = 120;
/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_MAX: usize = 254;

/// What WordPress is asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WordPressSpec {
    /// Core version; the platform's default when left out.
    #[serde(
        default,
        deserialize_with = "scalar::version",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(pattern = "^[0-9]{1,3}(\\.[0-9]{1,3}){1,2}$")]
    pub version: Option<String>,
    /// Title of the site; the name when left out. Set once, at creation: WordPress owns it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Locale such as `de_DE`; `en_US` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The first administrator's address. Set once, at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_email: Option<String>,
}

impl WordPressSpec {
    pub(super) fn check(&self, base: &str, errors: &mut Vec<FieldError>) {
        if let Some(title) = &self.title {
            let length = title.chars().count();
            if length == 0 || length > TITLE_MAX {
                errors.push(FieldError::new(
                    format!("{base}/title"),
                    format!("a title has 1 to {TITLE_MAX} characters, this one has {length}"),
                ));
            }
            if title.chars().any(char::is_control) {
                errors.push(FieldError::new(
                    format!("{base}/title"),
                    "a title has no control characters or line breaks",
                ));
            }
        }
        if let Some(version) = &self.version
            && !is_version(version)
        {
            errors.push(FieldError::new(
                format!("{base}/version"),
                format!("`{version}` is no WordPress version such as 7.1 or 6.8.3"),
            ));
        }
        if let Some(locale) = &self.locale
            && locale != "en_US"
        {
            errors.push(FieldError::new(
                format!("{base}/locale"),
                format!(
                    "`{locale}` is not available yet: leave it out, and choose the language in \
                     wp-admin under Settings, General"
                ),
            ));
        }
        if let Some(email) = &self.admin_email
            && !is_email(email)
        {
            errors.push(FieldError::new(
                format!("{base}/adminEmail"),
                format!("`{email}` is no e-mail address"),
            ));
        }
    }
}

fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().all(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// As strict as WordPress's `is_email()` where it matters: what passes here passes there.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&b));
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= EMAIL_MAX && local_ok && domain.contains('.') && domain.split('.').all(label_ok)
}
