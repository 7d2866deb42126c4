//! Exit codes and how a failure is told. The codes are documented in `docs/CLI.md`.

use std::process::ExitCode;

use aipress_api::client::ApiError;
use aipress_kit::http::ClientError;

use crate::output;

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
        }
    }

    /// Says it on standard error, with what to do where that is known.
    pub(crate) fn print(&self) {
        output::say_error(&self.to_string());
        match self {
            Self::Api(ApiError::Transport(ClientError::Connect { .. })) => {
                eprintln!(
                    "Is the platform running? `aipress status` looks, `aipress up --detach` starts it."
                );
            }
            Self::Api(ApiError::Problem(problem)) if problem.status == 401 => {
                eprintln!(
                    "Give a token with --token-file or AIPRESS_TOKEN; on the machine itself, root \
                     finds the first one below the data folder (see `aipress up`)."
                );
            }
            _ => {}
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::Problem;

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
