//! What a command of the binary answered.

use std::process::Output;

use serde_json::Value;

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// The command, for messages.
    pub command: String,
}

impl Told {
    pub(crate) fn new(command: String, output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            command,
        }
    }

    /// Itself, when it went well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn good(self) -> Self {
        self.ended(0)
    }

    /// Itself, when it ended with this exit code.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "{}\n--- out\n{}\n--- err\n{}",
            self.command, self.out, self.err
        );
        self
    }

    /// Its output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("{}: {error}:\n{}\n{}", self.command, self.out, self.err)
        })
    }

    /// The first URL in its output that contains `part`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn url(&self, part: &str) -> String {
        self.out
            .split_whitespace()
            .find(|word| word.starts_with("http://") && word.contains(part))
            .unwrap_or_else(|| panic!("{}: no URL with {part} in:\n{}", self.command, self.out))
            .to_owned()
    }
}
