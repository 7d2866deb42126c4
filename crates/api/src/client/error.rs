//! What a call of the API can end in.

use crate::plan::PlanView;
use crate::problem::Problem;

/// Why a call did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The API refused, in its own words.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Nothing was changed, as [`ApiClient::dry_run`](super::ApiClient::dry_run) asked: what would
    /// be.
    #[error("nothing is changed: plan {}", .0.hash)]
    Planned(Box<PlanView>),
    /// Nobody answered.
    #[error(transparent)]
    Transport(#[from] aipress_kit::http::ClientError),
    /// Somebody answered something else.
    #[error("unexpected answer (status {status}) from {path}: {detail}")]
    Unexpected {
        /// Path that was called.
        path: String,
        /// Status of the answer.
        status: u16,
        /// What could not be understood.
        detail: String,
    },
}

impl ApiError {
    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }
}
