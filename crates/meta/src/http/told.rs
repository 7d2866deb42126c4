//! What a request says of itself for the audit log: its id, why it is made, and the plan that it is
//! applied from.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::HeaderName;
use http::request::Parts;

use crate::change::Origin;
use crate::codes;
use crate::http::dispatch::Proven;
use crate::http::envelope::RequestId;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Where a person says why.
const REASON: HeaderName = HeaderName::from_static("audit-reason");
/// Longest reason, in characters.
const REASON_MAX: usize = 500;

/// Said with one request.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    request_id: Option<String>,
    reason: Option<String>,
    plan: Option<String>,
}

impl Told {
    /// What was said with the request of these parts.
    pub(crate) fn of(parts: &Parts) -> Result<Self, ApiError> {
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        match parts.extensions.get::<Proven>() {
            Some(Proven { reason, plan, .. }) => {
                Ok(Self { request_id, reason: reason.clone(), plan: plan.clone() })
            }
            None => Ok(Self { request_id, reason: reason(&parts.headers)?, plan: None }),
        }
    }

    /// The origin of what this caller does.
    pub(crate) fn by(self, caller: &Caller) -> Origin {
        Origin {
            actor: caller.actor(),
            account: Some(caller.account.id),
            request_id: self.request_id,
            reason: self.reason,
            plan: self.plan,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Told {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(parts)
    }
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let wrong = || {
        ApiError::new(
            &codes::BAD_REQUEST,
            format!("send one Audit-Reason of 1 to {REASON_MAX} characters on one line, in UTF-8"),
        )
    };
    let mut values = headers.get_all(REASON).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| wrong())?.trim();
    let fits = (1..=REASON_MAX).contains(&text.chars().count());
    if values.next().is_some() || !fits || text.chars().any(char::is_control) {
        return Err(wrong());
    }
    Ok(Some(text.to_owned()))
}
