//! Runs the machine's programs (`curl`, `tar`, `apt-get`, `dpkg-deb`, `php`)
//! with a time limit, no input and a plain locale.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::CoreError;
use crate::version::Version;

/// How much of what a failed program said goes into the error.
const MESSAGE_BYTES: usize = 600;

/// Runs `command` to its end and gives what it wrote to standard output.
/// It is killed when it takes longer than `limit`, and when the caller gives up.
pub(crate) async fn run(command: &mut Command, limit: Duration) -> Result<Vec<u8>, CoreError> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let child = command
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| start_error(&program, source))?;
    let Ok(ended) = tokio::time::timeout(limit, child.wait_with_output()).await else {
        return Err(CoreError::ProgramTimedOut { program, limit });
    };
    let output = ended.map_err(|source| start_error(&program, source))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    Err(CoreError::ProgramFailed { program, message: last_lines(said, output.status) })
}

/// Like [`run`], as text.
pub(crate) async fn run_text(command: &mut Command, limit: Duration) -> Result<String, CoreError> {
    run(command, limit).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The version of the PHP interpreter at `binary`, e.g. `8.2.35`.
///
/// # Errors
/// When it cannot be run within 10 s or says no version.
pub async fn php_version(binary: &Path) -> Result<Version, CoreError> {
    // `-v` rather than `-r`: php-fpm understands it too.
    let text = run_text(Command::new(binary).arg("-v"), Duration::from_secs(10)).await?;
    text.strip_prefix("PHP ")
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(Version::from_packaged)
        .ok_or_else(|| CoreError::malformed(format!("`{} -v`", binary.display()), text.trim()))
}

fn start_error(program: &str, source: io::Error) -> CoreError {
    if source.kind() == io::ErrorKind::NotFound {
        CoreError::ProgramMissing { program: program.to_owned() }
    } else {
        CoreError::ProgramFailed { program: program.to_owned(), message: source.to_string() }
    }
}

fn last_lines(said: &[u8], status: std::process::ExitStatus) -> String {
    let text = String::from_utf8_lossy(said);
    let joined =
        text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
    if joined.is_empty() {
        return status.to_string();
    }
    let start = joined.ceil_char_boundary(joined.len().saturating_sub(MESSAGE_BYTES));
    joined[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_hangs_is_cut() {
        let limit = Duration::from_millis(50);
        let error = run(Command::new("sleep").arg("60"), limit).await.expect_err("slept");
        assert!(matches!(error, CoreError::ProgramTimedOut { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_failure_tells_what_was_said() {
        let mut command = Command::new("sh");
        let error =
            run(command.args(["-c", "echo no such suite >&2; exit 3"]), Duration::from_secs(10))
                .await
                .expect_err("succeeded");
        assert_eq!(error.to_string(), "`sh` failed: no such suite");
    }

    #[tokio::test]
    async fn a_missing_program_says_how_to_get_it() {
        let error = run(&mut Command::new("aipress-no-such-program"), Duration::from_secs(1))
            .await
            .expect_err("ran");
        assert!(error.to_string().contains("scripts/install"), "{error}");
    }
}
