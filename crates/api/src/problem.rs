//! Errors as `application/problem+json` (RFC 9457) with a stable `code`.

use aipress_types::FieldError;
use serde::Deserialize;
use serde::Serialize;

use crate::plan::PlanView;

/// Media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error, for programs (`code`, `errors`) and for people (`title`, `detail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// URI that names the kind of problem: `https://aipress.io/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable word for programs, such as `name_taken`.
    pub code: String,
    /// What went wrong this time, and what to do.
    pub detail: String,
    /// Path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Complaints about single fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The plan that takes the place of one that is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<PlanView>>,
    /// Id of the request, as in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(
        status: u16,
        code: &str,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("https://aipress.io/problems/{code}"),
            title: title.into(),
            status,
            code: code.to_owned(),
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
            plan: None,
            request_id: None,
        }
    }

    /// The same with complaints about fields.
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)?;
        for error in &self.errors {
            write!(f, "\n  {}: {}", error.pointer, error.detail)?;
        }
        Ok(())
    }
}
