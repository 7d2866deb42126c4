//! What a tenant is asked to be. Checked here, purely; every complaint names its field.

pub mod environment;
pub mod fields;
pub mod packages;
pub mod php;
pub mod runtime;
mod scalar;
pub mod security;
pub mod variables;
pub mod wordpress;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

pub use environment::EnvironmentKind;
pub use environment::EnvironmentSpec;
pub use packages::PackageSpec;
pub use php::PhpSpec;
pub use runtime::RuntimeSpec;
pub use security::SecuritySpec;
pub use wordpress::WordPressSpec;

use crate::capacity::REGIONS;
use crate::package;
use crate::package::PackageKind;
use crate::tier::Tier;

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
    /// address. Not available yet.
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
    /// Variables that the site's PHP sees (`getenv()`, `$_ENV`). No place for secrets: whoever may
    /// read the document reads them.
    #[serde(
        default,
        deserialize_with = "scalar::texts",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schema(value_type = BTreeMap<String, scalar::Scalar>)]
    pub env: BTreeMap<String, String>,
    /// Database settings. Not available yet.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub database: Map<String, Value>,
    /// Backup settings. Not available yet.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub backups: Map<String, Value>,
    /// Page cache settings. Not available yet.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub cache: Map<String, Value>,
    /// Hardening.
    #[serde(default, skip_serializing_if = "SecuritySpec::is_default")]
    pub security: SecuritySpec,
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
        self.php.check(self.tier, &format!("{base}/php"), &mut errors);
        self.runtime.check(self.tier, &format!("{base}/runtime"), &mut errors);
        self.environment.check(&format!("{base}/environment"), &mut errors);
        self.security.check(&format!("{base}/security"), &mut errors);
        variables::check(&self.env, &format!("{base}/env"), &mut errors);
        for (kind, list) in
            [(PackageKind::Plugin, &self.plugins), (PackageKind::Theme, &self.themes)]
        {
            errors.extend(package::check(kind, list, &format!("{base}/{}", kind.plural())));
        }
        // A spec is plain data: encoding it does not fail.
        let whole = serde_json::to_value(self).unwrap_or_default();
        errors.extend(fields::not_available(&whole, base));
        errors
    }
}

/// A name as a part of a JSON pointer (RFC 6901 section 3).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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

    #[test]
    fn what_is_not_available_yet_is_refused_in_those_words() {
        use super::fields::FIELDS;
        use super::fields::Standing;
        for field in FIELDS {
            let Some(below) = field.pointer.strip_prefix("/spec/") else { continue };
            if below.contains('*') {
                continue;
            }
            let example: Value = serde_json::from_str(field.example).unwrap();
            let nested = below.rsplit('/').fold(example, |value, name| {
                Value::Object([(name.to_owned(), value)].into_iter().collect())
            });
            let spec: TenantSpec = serde_json::from_value(nested).unwrap();
            let refused: Vec<String> = spec
                .check("/spec")
                .into_iter()
                .filter(|error| error.detail.contains("is not available yet"))
                .map(|error| error.pointer)
                .collect();
            let expected = match field.standing {
                Standing::Works => vec![],
                Standing::NotYet => vec![field.pointer.to_owned()],
            };
            assert_eq!(refused, expected, "{}", field.pointer);
        }
        let staging: TenantSpec =
            serde_json::from_str(r#"{"environment":{"kind":"staging"}}"#).unwrap();
        assert_eq!(staging.check("/spec")[0].pointer, "/spec/environment/kind");
    }

    #[test]
    fn numbers_for_versions_say_what_to_do_and_for_settings_are_taken() {
        let error = serde_json::from_str::<TenantSpec>(r#"{"wordpress":{"version":7.1}}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("quote it, \"7.1\""), "{error}");
        let spec: TenantSpec = serde_json::from_str(
            r#"{"php":{"settings":{"max_execution_time":30,"display_errors":true}},"env":{"A":1}}"#,
        )
        .unwrap();
        assert_eq!(spec.php.settings["max_execution_time"], "30");
        assert_eq!(spec.php.settings["display_errors"], "true");
        assert_eq!(spec.env["A"], "1");
        assert!(serde_json::from_str::<TenantSpec>(r#"{"env":{"A":1.5}}"#).is_err());
        assert!(serde_json::from_str::<TenantSpec>(r#"{"env":{"A":null}}"#).is_err());
    }
}
