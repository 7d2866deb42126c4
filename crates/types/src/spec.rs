//! What a tenant is asked to be. Checked here, purely; every complaint names its field.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::capacity::REGIONS;
use crate::tier::Tier;

/// Longest title, in characters.
pub const TITLE_MAX: usize = 120;
/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_MAX: usize = 254;

/// A complaint about one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field, such as `/spec/tier`.
    pub pointer: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
}

impl FieldError {
    /// A complaint about the field at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The specification of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantSpec {
    /// Tier; bronze when left out.
    #[serde(default)]
    pub tier: Tier,
    /// Region that the site is served from; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Region that the site's data must not leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<String>,
    /// WordPress itself.
    #[serde(default)]
    pub wordpress: WordPressSpec,
    /// PHP.
    #[serde(default, skip_serializing_if = "PhpSpec::is_default")]
    pub php: PhpSpec,
    /// How much of the platform's machines the site uses.
    #[serde(default, skip_serializing_if = "RuntimeSpec::is_default")]
    pub runtime: RuntimeSpec,
    /// Host names of the site beside its own below the platform's domain; the first is its main
    /// address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Plugins that must be there. Others that somebody installed in wp-admin are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PackageSpec>,
    /// Themes that must be there; at most one is active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub themes: Vec<PackageSpec>,
    /// Production, or staging of another site.
    #[serde(default, skip_serializing_if = "EnvironmentSpec::is_default")]
    pub environment: EnvironmentSpec,
    /// Variables that the site's PHP sees (`getenv()`); no place for secrets yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Database settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub database: Map<String, Value>,
    /// Backup settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub backups: Map<String, Value>,
    /// Page cache settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub cache: Map<String, Value>,
    /// Hardening settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub security: Map<String, Value>,
}

/// What PHP is asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhpSpec {
    /// PHP version such as `8.2`; that of the shard when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// PHP settings (`php.ini` names), of a list of those that a site may set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// How much of the platform's machines a site uses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeSpec {
    /// PHP workers that are kept; the tier's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_instances: Option<u32>,
    /// PHP workers at once; the tier's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_instances: Option<u32>,
    /// A named set of settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A plugin or theme that a site is asked to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageSpec {
    /// Its folder's name, as in the directory of WordPress.org: `akismet`.
    pub name: String,
    /// Exactly this version; the newest that can be had when it is first installed otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it comes from; the platform's mirror, then the directory of WordPress.org, when left
    /// out. Otherwise `mirror`, `wordpress.org`, `sha256:<64 hex digits>` (a zip that was uploaded
    /// to the mirror), or `https://…#sha256=<64 hex digits>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it is switched on: yes when left out for a plugin, no for a theme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// What a site is for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// `production` or `staging`.
    #[serde(default)]
    pub kind: EnvironmentKind,
    /// Name of the site that this one is a staging environment of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// Kind of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// What visitors see.
    #[default]
    Production,
    /// Where changes are tried.
    Staging,
}

impl PhpSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl RuntimeSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl EnvironmentSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What WordPress is asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WordPressSpec {
    /// Core version; the platform's default when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

impl TenantSpec {
    /// Every complaint about the spec, with pointers below `base` (such as `/spec`).
    pub fn check(&self, base: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for (field, value) in [("region", &self.region), ("residency", &self.residency)] {
            if let Some(region) = value
                && !REGIONS.contains(&region.as_str())
            {
                errors.push(FieldError::new(
                    format!("{base}/{field}"),
                    format!("`{region}` is no region: {}", REGIONS.join(", ")),
                ));
            }
        }
        self.wordpress.check(&format!("{base}/wordpress"), &mut errors);
        errors
    }
}

impl WordPressSpec {
    fn check(&self, base: &str, errors: &mut Vec<FieldError>) {
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
            errors.push(FieldError::new(format!("{base}/locale"), "only en_US is available yet"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_spec_has_no_complaints() {
        let spec: TenantSpec = serde_json::from_str(
            r#"{"tier":"silver","region":"europe-west1",
                "wordpress":{"version":"6.8.3","title":"Crumbs & Co.","adminEmail":"a+b@ex-ample.org"}}"#,
        )
        .unwrap();
        assert_eq!(spec.check("/spec"), []);
    }

    #[test]
    fn each_complaint_points_to_its_field() {
        let spec: TenantSpec = serde_json::from_str(
            r#"{"region":"mars","residency":"moon","wordpress":
                {"version":"latest","title":"a\nb","locale":"tlh","adminEmail":"nobody"}}"#,
        )
        .unwrap();
        let pointers: Vec<String> =
            spec.check("/spec").into_iter().map(|error| error.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/spec/region",
                "/spec/residency",
                "/spec/wordpress/title",
                "/spec/wordpress/version",
                "/spec/wordpress/locale",
                "/spec/wordpress/adminEmail",
            ]
        );
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<TenantSpec>(r#"{"teir":"gold"}"#).is_err());
        assert!(serde_json::from_str::<TenantSpec>(r#"{"wordpress":{"Title":"x"}}"#).is_err());
    }
}
