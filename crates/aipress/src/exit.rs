//! Exit codes and how a failure is told. The codes are documented in `docs/CLI.md`.

use std::process::ExitCode;

use aipress_api::Problem;
use aipress_api::client::ApiError;

use crate::output;

/// Ctrl-C: 128 and the number of the signal, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Every exit code and what it means.
pub(crate) const CODES: [(u8, &str); 10] = [
    (0, "done"),
    (
        1,
        "tried and failed: an operation failed or was overtaken, a check of `doctor` failed, `status` found a unit down",
    ),
    (2, "wrong usage"),
    (3, "not found (404)"),
    (4, "refused by the API (another 4xx): wrong fields, wrong state, name taken, no room"),
    (5, "not signed in, or not allowed (401, 403)"),
    (6, "the platform can't be reached, or failed (5xx)"),
    (7, "not done in time; it goes on, and may still end well"),
    (8, "declined at the question, or nobody was there to ask"),
    (INTERRUPTED, "Ctrl-C: waiting ended, the change goes on"),
];

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// 1: it was tried and failed.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// 2: the arguments make no sense (clap itself exits with 2, too).
    #[error("{0}")]
    Usage(String),
    /// 3 to 6: the API refused or could not be reached.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// 7: it did not end in time; it may still end well.
    #[error("{0}")]
    TimedOut(String),
    /// The status of a command that ran elsewhere, which has said why itself.
    #[error("the command ended with status {0}")]
    Status(u8),
    /// 8: asked, and the answer was no.
    #[error("{0}")]
    Declined(String),
}

impl Failure {
    /// The code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Api(ApiError::Problem(problem)) => match problem.status {
                404 => 3,
                401 | 403 => 5,
                500.. => 6,
                _ => 4,
            },
            Self::Api(_) => 6,
            Self::TimedOut(_) => 7,
            Self::Declined(_) => 8,
            Self::Status(status) => *status,
        }
    }

    /// Says it on standard error, and then what may help.
    pub(crate) fn print(&self, hints: &[String]) {
        if matches!(self, Self::Status(_)) {
            return;
        }
        let text = match self {
            Self::Api(ApiError::Problem(problem)) => problem_text(problem),
            failure => failure.to_string(),
        };
        output::say_error(&text);
        for hint in hints {
            output::tell(hint);
        }
    }
}

/// A problem for people: what went wrong, field by field, and what to name when asking somebody.
fn problem_text(problem: &Problem) -> String {
    let mut text = problem.title.clone();
    if problem.errors.is_empty() {
        text.push_str(": ");
        text.push_str(&problem.detail);
    }
    for error in &problem.errors {
        text.push_str(&format!("\n  {}: {}", error.pointer, error.detail));
    }
    text.push_str(&format!("\n  code {} (docs/errors.md)", problem.code));
    if let Some(id) = &problem.request_id {
        text.push_str(&format!(", request {id}"));
    }
    text
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_fields_its_code_and_its_request() {
        let mut problem = Problem::new(404, "not_found", "not found", "no site `x`");
        problem.request_id = Some("r-1".to_owned());
        let text = problem_text(&problem);
        assert_eq!(text, "not found: no site `x`\n  code not_found (docs/errors.md), request r-1");
        let problem = Problem::new(422, "invalid_fields", "some fields are wrong", "a and b")
            .with_errors(vec![aipress_types::FieldError::new("/spec/tire", "unknown")]);
        let text = problem_text(&problem);
        assert!(text.starts_with("some fields are wrong\n  /spec/tire: unknown\n"), "{text}");
    }

    #[test]
    fn codes_are_those_of_the_documentation() {
        let problem = |status| {
            let problem = Problem::new(status, "x", "x", "x");
            Failure::Api(ApiError::Problem(Box::new(problem))).number()
        };
        assert_eq!([404, 401, 403, 409, 412, 422, 503].map(problem), [3, 5, 5, 4, 4, 4, 6]);
        assert_eq!(Failure::Failed(anyhow::anyhow!("x")).number(), 1);
        assert_eq!(Failure::Usage(String::new()).number(), 2);
        assert_eq!(Failure::TimedOut(String::new()).number(), 7);
        assert_eq!(Failure::Declined(String::new()).number(), 8);
    }
}
