//! The one error of handlers and rules: a problem (RFC 9457) with the headers that go with it.

use aipress_api::PlanView;
use aipress_api::Problem;
use aipress_store::StoreError;
use aipress_types::FieldError;
use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde_json::Value;

use crate::codes;
use crate::codes::Code;
use crate::policy::Denied;

/// A request that is refused or failed.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Rides in the response's extensions to the outermost layer, which adds the request's path and
/// id and writes the body.
#[derive(Debug, Clone)]
pub(crate) struct ProblemSlot(pub(crate) Box<Problem>);

impl ApiError {
    /// A problem of this kind; `detail` says what went wrong this time, and what to do.
    pub(crate) fn new(code: &Code, detail: impl Into<String>) -> Self {
        let problem = Problem::new(code.status, code.code, code.title, detail);
        Self { problem: Box::new(problem), headers: Vec::new() }
    }

    /// Fields that are wrong.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => only.detail.clone(),
            several => format!("{} fields are wrong; see `errors`", several.len()),
        };
        let mut error = Self::new(&codes::INVALID_FIELDS, detail);
        error.problem.errors = errors;
        error
    }

    /// One field that is wrong.
    pub(crate) fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(pointer, detail)])
    }

    /// What does not exist or is not the caller's to see, in the same words.
    pub(crate) fn not_found(noun: &str, id: &str) -> Self {
        Self::new(&codes::NOT_FOUND, format!("there is no {noun} `{id}` that you can see"))
    }

    /// A failed proof of identity (RFC 6750 section 3).
    pub(crate) fn unauthenticated(detail: &str, error: Option<&str>) -> Self {
        let challenge = match error {
            Some(error) => format!("Bearer realm=\"aipress\", error=\"{error}\""),
            None => "Bearer realm=\"aipress\"".to_owned(),
        };
        Self::new(&codes::UNAUTHENTICATED, detail).with_header(header::WWW_AUTHENTICATE, &challenge)
    }

    /// A fault of ours: `error` goes to the log, never to the caller.
    pub(crate) fn internal(context: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(error = sources(error), "{context}");
        Self::new(&codes::INTERNAL, "try again; if it stays, tell us the request id")
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// With the plan to apply instead.
    pub(crate) fn with_plan(mut self, plan: PlanView) -> Self {
        self.problem.plan = Some(Box::new(plan));
        self
    }

    /// The problem that came as a body, from within.
    pub(crate) fn of_body(body: &Value) -> Self {
        match serde_json::from_value::<Problem>(body.clone()) {
            Ok(problem) => Self { problem: Box::new(problem), headers: Vec::new() },
            Err(error) => Self::internal("a refusal from within", &error),
        }
    }

    /// What went wrong this time.
    pub(crate) fn detail(&self) -> &str {
        &self.problem.detail
    }

    /// Whether it is no fault of the request, so that the same may work later.
    pub(crate) fn is_our_fault(&self) -> bool {
        self.problem.status >= 500
    }

    /// The complaints as of a part of something larger: pointers below `base`.
    pub(crate) fn below(&self, base: &str) -> Vec<FieldError> {
        if self.problem.errors.is_empty() {
            return vec![FieldError::new(base, self.problem.detail.clone())];
        }
        let errors = self.problem.errors.iter();
        errors.map(|e| FieldError::new(format!("{base}{}", e.pointer), e.detail.clone())).collect()
    }

    /// The complaints about fields.
    #[cfg(test)]
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.problem.errors
    }

    /// The fields that are complained about.
    #[cfg(test)]
    pub(crate) fn pointers(&self) -> impl Iterator<Item = &str> {
        self.problem.errors.iter().map(|error| error.pointer.as_str())
    }

    /// The stable code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.problem.code
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Busy(_) => unavailable(&error, "1"),
            StoreError::Full(_) | StoreError::Disk(_) => unavailable(&error, "10"),
            StoreError::Corrupt { .. } => {
                tracing::error!(error = sources(&error), "the registry is damaged");
                Self::new(
                    &codes::REGISTRY_DAMAGED,
                    "nothing was changed; tell who runs the platform",
                )
            }
            StoreError::EtagMismatch { current } => etag_mismatch(current),
            StoreError::Transition { .. } => Self::new(&codes::INVALID_STATE, error.to_string()),
            StoreError::Cursor => Self::new(&codes::INVALID_CURSOR, "start again without `cursor`"),
            _ => Self::internal("registry", &error),
        }
    }
}

/// The registry can't be written for a while: nothing was, and the same works later.
fn unavailable(error: &StoreError, retry_after_s: &str) -> ApiError {
    tracing::warn!(error = sources(error), "registry can't be written");
    ApiError::new(&codes::REGISTRY_UNAVAILABLE, error.to_string())
        .with_header(header::RETRY_AFTER, retry_after_s)
}

/// An error in words, with what it comes from.
fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// `If-Match` did not name the current version (RFC 9110 section 13.1.1).
pub(crate) fn etag_mismatch(current: &str) -> ApiError {
    ApiError::new(
        &codes::ETAG_MISMATCH,
        format!("its etag is \"{current}\" now: read it again, then decide"),
    )
}

/// `If-None-Match: *`, and it is there (RFC 9110 section 13.1.2).
pub(crate) fn exists(current: &str) -> ApiError {
    ApiError::new(
        &codes::ETAG_MISMATCH,
        format!(
            "it exists, with the etag \"{current}\": read it, then decide; nothing of it was changed"
        ),
    )
}

impl Denied {
    /// The refusal in the words of the API: what may not be seen looks like what is not there.
    pub(crate) fn into_error(self, noun: &str, id: &str) -> ApiError {
        match self {
            Self::Hidden => ApiError::not_found(noun, id),
            Self::Forbidden => ApiError::new(&codes::FORBIDDEN, "your role does not allow this"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(ProblemSlot(self.problem));
        response
    }
}
