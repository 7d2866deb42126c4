//! What a site is for.

use serde::Deserialize;
use serde::Serialize;

use super::FieldError;

/// What a site is for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// `production`; `staging` is not available yet.
    #[serde(default)]
    pub kind: EnvironmentKind,
    /// Name of the site that this one is a staging environment of. Not available yet.
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
    /// Where changes are tried. Not available yet.
    Staging,
}

impl EnvironmentSpec {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, base: &str, errors: &mut Vec<FieldError>) {
        if self.kind == EnvironmentKind::Staging {
            errors.push(FieldError::new(
                format!("{base}/kind"),
                "`staging` is not available yet: leave it out, or copy the site by \
                 `aipress tenant clone`",
            ));
        }
    }
}
