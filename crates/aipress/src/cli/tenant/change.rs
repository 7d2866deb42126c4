//! The changes of a site that is there.

use std::time::Duration;

use aipress_api::Accepted;
use aipress_api::RotateSecrets;
use aipress_api::SecretKind;
use aipress_api::TenantPatch;
use aipress_api::client::ApiClient;
use aipress_types::spec::fields::FIELDS;
use serde_json::Value;
use serde_json::json;

use crate::args::Guarded;
use crate::args::Output;
use crate::args::Plain;
use crate::args::TenantRotateSecrets;
use crate::args::TenantUpdate;
use crate::args::Wait;
use crate::cli::confirm;
use crate::cli::follow;
use crate::cli::tenant::show;
use crate::exit::Failure;
use crate::output;

/// A change that asks to type the name.
pub(super) async fn guarded(
    client: &ApiClient,
    args: Guarded,
    verb: &str,
    what: &str,
    output: Output,
) -> Result<(), Failure> {
    // Looked up first: the name to type is the site's, also when a uid was given.
    let tenant = client.tenant_fetch(&args.tenant).await?;
    confirm::type_name(&tenant.name, what, args.yes || client.is_dry_run())?;
    let uid = tenant.uid.to_string();
    let accepted = match verb {
        "delete" => client.tenant_delete(&uid).await?,
        verb => client.tenant_verb(&uid, verb).await?,
    };
    end(client, accepted, args.wait, output).await
}

/// A change that does not ask.
pub(super) async fn plain(
    client: &ApiClient,
    args: Plain,
    verb: &str,
    output: Output,
) -> Result<(), Failure> {
    let accepted = client.tenant_verb(&args.tenant, verb).await?;
    end(client, accepted, args.wait, output).await
}

/// `rotate-secrets`.
pub(super) async fn rotate_secrets(
    client: &ApiClient,
    args: TenantRotateSecrets,
    output: Output,
) -> Result<(), Failure> {
    let salts = args.only.is_empty() || args.only.contains(&SecretKind::Salts);
    let body = RotateSecrets { only: args.only };
    let accepted = client.tenant_rotate_secrets(&args.tenant, &body).await?;
    end(client, accepted, args.wait, output).await?;
    if salts {
        output::note("Its salts are new: whoever was signed in to wp-admin signs in again.");
    }
    Ok(())
}

/// `update`.
pub(super) async fn update(
    client: &ApiClient,
    args: TenantUpdate,
    output: Output,
) -> Result<(), Failure> {
    let mut spec = json!({});
    if let Some(tier) = args.tier {
        spec["tier"] = json!(tier);
    }
    for assignment in &args.set {
        assign(&mut spec, assignment)?;
    }
    if spec.as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(Failure::Usage("nothing to change: give --tier or --set FIELD=VALUE".into()));
    }
    let accepted = client
        .tenant_update(&args.tenant, &TenantPatch { spec: Some(spec), metadata: None })
        .await?;
    end(client, accepted, args.wait, output).await
}

/// Sets `a.b=value` in a merge patch; `null` and booleans are what they look like, and numbers
/// are where the field is one: the version `7` of WordPress is a text.
fn assign(spec: &mut Value, assignment: &str) -> Result<(), Failure> {
    let (field, text) = assignment
        .split_once('=')
        .filter(|(field, _)| !field.is_empty() && !field.split('.').any(str::is_empty))
        .ok_or_else(|| Failure::Usage(format!("--set {assignment}: FIELD=VALUE is wanted")))?;
    let value = match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => match text.parse::<i64>() {
            Ok(number) if is_number(field) => Value::from(number),
            _ => Value::String(text.to_owned()),
        },
    };
    let mut place = spec;
    for part in field.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = value;
    Ok(())
}

/// Whether a field of the spec, written with points, takes a number.
fn is_number(field: &str) -> bool {
    let pointer = format!("/spec/{}", field.replace('.', "/"));
    let known = FIELDS.iter().find(|known| known.pointer == pointer);
    known.is_some_and(|known| known.example.parse::<i64>().is_ok())
}

/// Follows what was accepted to its end, and shows the site.
pub(super) async fn end(
    client: &ApiClient,
    accepted: Accepted,
    wait: Wait,
    output: Output,
) -> Result<(), Failure> {
    if wait.no_wait {
        output::print(output, &accepted.operation, |operation| {
            format!("{}: aipress operation watch {}\n", operation.kind, operation.id)
        })?;
        return Ok(());
    }
    let timeout = Duration::from_secs(wait.timeout);
    if !accepted.operation.state.is_final() {
        follow::to_the_end(client, &accepted.operation, timeout).await?;
    }
    let tenant = client.tenant_fetch(&accepted.tenant.uid.to_string()).await?;
    output::print(output, &tenant, show::table)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_become_a_merge_patch() {
        let mut spec = json!({});
        for text in [
            "wordpress.version=7",
            "region=null",
            "wordpress.locale=de_DE",
            "x.y=a=b",
            "runtime.maxInstances=2",
            "env.PORT=80",
        ] {
            assign(&mut spec, text).unwrap();
        }
        assert_eq!(
            spec,
            json!({"wordpress": {"version": "7", "locale": "de_DE"}, "region": null,
                "x": {"y": "a=b"}, "runtime": {"maxInstances": 2}, "env": {"PORT": "80"}})
        );
        for bad in ["", "x", "=1", "a..b=1"] {
            assert!(assign(&mut spec, bad).is_err(), "{bad}");
        }
    }
}
