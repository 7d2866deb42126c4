//! Commands in a site's sandbox: who may, what is written down of it, and which shard runs it.

use std::time::Duration;

use aipress_api::PlanRun;
use aipress_api::paths;
use aipress_api::wp::WpCommand;
use aipress_store::ShardRecord;
use aipress_store::TenantRecord;
use aipress_types::DesiredState;
use aipress_types::TenantState;
use http::Method;
use hyper::body::Incoming;

use crate::app::plan::planner::Noted;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::change::Origin;
use crate::codes;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Arguments at most.
const ARGS_MAX: usize = 256;
/// Bytes of arguments at most.
const ARGS_BYTES_MAX: usize = 100 * 1024;
/// Bytes of input at most; the request's own bound is 1 MiB.
const INPUT_MAX: usize = 900 * 1024;
/// Longest time limit, in seconds.
const TIME_LIMIT_MAX_S: u32 = 3600;
/// Widths of a terminal.
const COLUMNS: std::ops::RangeInclusive<u16> = 20..=1000;
/// How long the shard may take until the answer begins; a command waits 5 s for its turn.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Most of an argument that is written down, in characters.
const AUDITED_CHARS: usize = 200;
/// Most arguments that are written down.
const AUDITED_ARGS: usize = 32;
/// Word in audit and events.
const KIND: &str = "tenant.wp";
/// Options that send a command to another machine.
const ELSEWHERE: &[&str] = &["--ssh", "--http"];
/// An option with one of these in its name has a value that nobody writes down.
const SECRET_WORDS: &[&str] = &["pass", "secret", "token", "key", "auth", "salt"];

/// Runs a command; its output is the body.
pub(crate) async fn run(
    plane: &Plane,
    caller: &Caller,
    origin: &Origin,
    id: &str,
    command: WpCommand,
) -> Result<Incoming, ApiError> {
    check(&command)?;
    let found = tenant::find(plane, caller, Action::TenantWp, id).await?;
    let shard = serving_shard(plane, &found).await?;
    // Written before it runs: what is begun is never without a trace.
    let mut change = Change::begin(plane).await?;
    let current = tenant::find_in(&mut change, caller, Action::TenantWp, id).await?;
    if current.uid != found.uid {
        return Err(ApiError::not_found("tenant", id));
    }
    let after = serde_json::json!({
        "args": audited(&command.args),
        "timeLimitSeconds": command.time_limit_seconds,
        "inputBytes": command.input.as_ref().map(String::len),
    });
    change
        .note_tenant(origin, &current, Note { action: KIND, before: None, after: Some(after) })
        .await?;
    change.commit().await?;
    let path = format!("{}/{}/wp", paths::SHARD_TENANTS, found.uid);
    shard_call::stream(plane, &shard.address, Method::POST, &path, &command, TIMEOUT)
        .await
        .map(http::Response::into_body)
        .map_err(|error| refused(&found, &error))
}

/// What a plan tells of a command.
pub(crate) async fn foresee(
    plane: &Plane,
    caller: &Caller,
    id: &str,
    command: &WpCommand,
) -> Result<Noted, ApiError> {
    check(command)?;
    let found = tenant::find(plane, caller, Action::TenantWp, id).await?;
    let runs = run_of(plane, &found, command).await?;
    Ok(noted(&found, runs))
}

/// What a plan tells of something that runs in a site.
pub(crate) fn noted(tenant: &TenantRecord, runs: PlanRun) -> Noted {
    Noted {
        action: KIND.to_owned(),
        kind: "tenant",
        name: tenant.name.to_string(),
        made_from: tenant::made_from(tenant),
        runs: Some(runs),
        ..Noted::default()
    }
}

/// What the site's shard would run.
pub(crate) async fn run_of(
    plane: &Plane,
    tenant: &TenantRecord,
    command: &WpCommand,
) -> Result<PlanRun, ApiError> {
    let shard = serving_shard(plane, tenant).await?;
    let path = format!("{}/{}/wp-plan", paths::SHARD_TENANTS, tenant.uid);
    let mut run: PlanRun =
        shard_call::ask(plane, &shard.address, Method::POST, &path, command, TIMEOUT)
            .await
            .map_err(|error| refused(tenant, &error))?;
    run.command = audited(&run.command);
    Ok(run)
}

fn check(command: &WpCommand) -> Result<(), ApiError> {
    let args = &command.args;
    let bytes: usize = args.iter().map(String::len).sum();
    if args.is_empty() || args.len() > ARGS_MAX || bytes > ARGS_BYTES_MAX {
        return Err(ApiError::field(
            "/args",
            format!("a command has 1 to {ARGS_MAX} arguments of {ARGS_BYTES_MAX} bytes in all"),
        ));
    }
    if args.iter().any(|arg| arg.contains('\0')) {
        return Err(ApiError::field("/args", "an argument has no zero byte"));
    }
    let option = |arg: &str| arg.split('=').next().unwrap_or_default().to_owned();
    let elsewhere = args.iter().map(|arg| option(arg));
    if let Some(way) = elsewhere.into_iter().find(|name| ELSEWHERE.contains(&name.as_str())) {
        return Err(ApiError::field(
            "/args",
            format!("commands run in the site's own sandbox and nowhere else: leave `{way}` out"),
        ));
    }
    let seconds = command.time_limit_seconds;
    if seconds.is_some_and(|seconds| seconds == 0 || seconds > TIME_LIMIT_MAX_S) {
        return Err(ApiError::field(
            "/timeLimitSeconds",
            format!("a time limit is 1 to {TIME_LIMIT_MAX_S} seconds"),
        ));
    }
    if command.input.as_ref().is_some_and(|input| input.len() > INPUT_MAX) {
        return Err(ApiError::field("/input", format!("input has at most {INPUT_MAX} bytes")));
    }
    if command.columns.is_some_and(|columns| !COLUMNS.contains(&columns)) {
        return Err(ApiError::field("/columns", "a terminal has 20 to 1000 columns"));
    }
    Ok(())
}

/// Arguments as they are written down: values of options that sound like a secret are not.
fn audited(args: &[String]) -> Vec<String> {
    let sounds_secret = |text: &str| {
        let text = text.to_ascii_lowercase();
        SECRET_WORDS.iter().any(|word| text.contains(word))
    };
    let mut is_value = false;
    let shown = args.iter().take(AUDITED_ARGS).map(|arg| {
        let option = arg.strip_prefix("--");
        // `option update api_key VALUE`: what follows a name that sounds like a secret is one.
        let was_value = std::mem::replace(&mut is_value, option.is_none() && sounds_secret(arg));
        match option.and_then(|option| option.split_once('=')) {
            Some((name, _)) if sounds_secret(name) => format!("--{name}=…"),
            None if was_value && option.is_none() => "…".to_owned(),
            _ => arg.chars().take(AUDITED_CHARS).collect(),
        }
    });
    let mut shown: Vec<String> = shown.collect();
    if args.len() > AUDITED_ARGS {
        shown.push(format!("… and {} more", args.len() - AUDITED_ARGS));
    }
    shown
}

/// The shard that serves a tenant; refuses one that is not active.
pub(crate) async fn serving_shard(
    plane: &Plane,
    tenant: &TenantRecord,
) -> Result<ShardRecord, ApiError> {
    if tenant.state != TenantState::Active || tenant.desired != DesiredState::Active {
        return Err(ApiError::new(
            &codes::INVALID_STATE,
            format!("`{}` is {}: commands run in active sites only", tenant.name, tenant.state),
        ));
    }
    let shard = match tenant.shard {
        Some(id) => plane.store.shard_fetch(id).await?,
        None => None,
    };
    shard.ok_or_else(|| ApiError::new(&codes::SHARD_UNAVAILABLE, "the site has no shard"))
}

/// A shard's refusal of something that runs in a site, in the public API's codes.
pub(crate) fn refused(tenant: &TenantRecord, error: &ShardCallError) -> ApiError {
    tracing::warn!(tenant.uid = %tenant.uid, %error, "a command was refused");
    match error {
        ShardCallError::Refused { status: 429, detail } => {
            ApiError::new(&codes::TOO_MANY_COMMANDS, detail.clone())
                .with_header(http::header::RETRY_AFTER, "5")
        }
        ShardCallError::Refused { status: 422, detail } => ApiError::field("/args", detail.clone()),
        ShardCallError::Refused { status: 404 | 409, detail } => {
            ApiError::new(&codes::INVALID_STATE, format!("`{}`: {detail}", tenant.name))
        }
        _ => ApiError::new(
            &codes::SHARD_UNAVAILABLE,
            format!("the shard of `{}` does not answer: try again in a moment", tenant.name),
        )
        .with_header(http::header::RETRY_AFTER, "2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_arguments_are_not_written_down() {
        let args = ["user", "create", "a", "--user_pass=x=y", "--API-Key=1", "--role=editor"];
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let shown = audited(&args);
        assert_eq!(&shown[3..], ["--user_pass=…", "--API-Key=…", "--role=editor"]);
        assert_eq!(audited(&vec!["x".repeat(500); 40]).len(), 33);
        let args = ["option", "update", "smtp_password", "tr0ub4dor", "--autoload=no"];
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        assert_eq!(audited(&args)[2..], ["smtp_password", "…", "--autoload=no"]);
    }

    #[test]
    fn commands_stay_in_the_sites_sandbox() {
        let command = |arg: &str| WpCommand {
            args: vec!["option".into(), "list".into(), arg.into()],
            ..WpCommand::default()
        };
        for elsewhere in ["--ssh=root@example.org", "--http=example.org", "--ssh"] {
            let refused = check(&command(elsewhere)).unwrap_err();
            assert!(refused.errors()[0].detail.contains("sandbox"), "{elsewhere}");
        }
        for fine in ["--format=json", "--sshfish", "ssh", "x--ssh=y"] {
            assert!(check(&command(fine)).is_ok(), "{fine}");
        }
    }
}
