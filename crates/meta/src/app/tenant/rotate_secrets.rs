//! New passwords and salts for a site. They travel in the intent; its shard takes the site over to
//! them without a failed request (`aipress-shard`, `reconcilers/tenant/rotation.rs`).

use std::collections::BTreeSet;

use aipress_api::RotateSecrets;
use aipress_api::SecretKind;
use aipress_store::TenantIntentUpdate;
use aipress_types::DesiredState;
use aipress_types::TenantState;
use serde_json::Value;

use crate::app::operation;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::secrets;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::policy::Action;
use crate::problem::ApiError;

/// Kind of the operation, and word in audit and events.
const KIND: &str = "tenant.rotate_secrets";

/// Gives the tenant that `id` means new secrets.
pub(crate) async fn rotate_secrets(
    scope: &Scope,
    id: &str,
    body: RotateSecrets,
) -> Result<Answer, ApiError> {
    let mut kinds: BTreeSet<SecretKind> = body.only.into_iter().collect();
    if kinds.is_empty() {
        kinds.extend(SecretKind::ALL);
    }
    let plane = &scope.plane;
    let mut change = Change::begin(plane).await?;
    let before =
        tenant::find_in(&mut change, &scope.caller, Action::TenantRotateSecrets, id).await?;
    scope.check_etag(&before.etag)?;
    check(before.desired, before.state)
        .map_err(|why| ApiError::new(&codes::INVALID_STATE, format!("`{}` {why}", before.name)))?;
    let sealed = secrets::rotate(&plane.sealer, before.uid, &before.sealed_secrets, &kinds)
        .map_err(|error| ApiError::internal("make secrets", &error))?;
    let mut update = TenantIntentUpdate::new(before.uid, change.now);
    update.sealed_secrets = Some(sealed);
    let after = change.txn.tenant_update_intent(&update).await?;
    let operation = operation::begin(&mut change, &scope.origin, KIND, &after).await?;
    let mut seen = tenant::audited(&after, &plane.sites);
    if let Some(Value::Object(seen)) = &mut seen {
        // No field of a tenant tells of them.
        let kinds: Vec<Value> = kinds.iter().map(|kind| kind.as_str().into()).collect();
        seen.insert("rotated".to_owned(), kinds.into());
    }
    let note = Note { action: KIND, before: tenant::audited(&before, &plane.sites), after: seen };
    change.note_tenant(&scope.origin, &after, note).await?;
    change.push(after.uid);
    let answer = tenant::answer(&mut change, 202, &after, operation).await?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Whether a tenant that is `state` and was asked to be `desired` takes other secrets; if not, why.
fn check(desired: DesiredState, state: TenantState) -> Result<(), &'static str> {
    match (desired, state) {
        (DesiredState::Deleted | DesiredState::Erased, _) => {
            Err("is deleted: nobody uses its secrets; undelete it first")
        }
        (_, TenantState::Creating) => Err("is still being made, with secrets that are new"),
        (_, TenantState::Deleted) => Err("is still being brought back: wait for that operation"),
        (DesiredState::Active | DesiredState::Suspended, _) => Ok(()),
    }
}
