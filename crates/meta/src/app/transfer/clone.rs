//! A site made of another one: its export feeds the new one's making, with no client in between.

use aipress_api::CloneCreate;
use aipress_store::ImportRecord;
use aipress_store::ImportState;
use aipress_types::TenantMetadata;
use uuid::Uuid;

use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::app::tenant::create;
use crate::app::transfer::CLONE;
use crate::app::transfer::export;
use crate::change::Change;
use crate::policy::Action;
use crate::problem::ApiError;

/// Makes a new site of the one that `id` means, in the same account.
pub(crate) async fn clone(scope: &Scope, id: &str, body: CloneCreate) -> Result<Answer, ApiError> {
    let plane = &scope.plane;
    let source = tenant::find(plane, &scope.caller, Action::TenantClone, id).await?;
    let mut spec = source.spec.clone();
    // Hosts belong to one site; the copy has its own below the platform's domain.
    spec.domains.clear();
    let new = create::NewTenant {
        name: &body.name,
        account: Some(source.account),
        metadata: TenantMetadata::default(),
        spec,
        base: "",
    };
    let (name, account, checked) = create::checked(scope, new, Vec::new())?;
    let mut change = Change::begin(plane).await?;
    let source = tenant::find_in(&mut change, &scope.caller, Action::TenantClone, id).await?;
    let export = export::record(&mut change, &scope.origin.actor, &source, None).await?;
    let (made, operation) =
        create::record(scope, &mut change, name, account, checked, CLONE).await?;
    if let Some(noted) = change.noted.last_mut() {
        noted.made_from = tenant::made_from(&source);
    }
    let version = source.observed.as_ref().and_then(|seen| seen.wordpress_version.clone());
    let import = ImportRecord {
        id: Uuid::new_v4(),
        account: made.account,
        actor: scope.origin.actor.clone(),
        name: made.name.to_string(),
        spec: None,
        state: ImportState::Building,
        source: Some(export.id),
        report: None,
        wordpress_version: version,
        tenant: Some(made.uid),
        operation: Some(operation),
        message: None,
        created_at: change.now,
        expires_at: export.expires_at,
    };
    change.txn.import_put(&import).await?;
    let answer = tenant::answer(&mut change, 202, &made, operation).await?;
    scope.commit(change, &answer).await?;
    plane.transfers.notify_one();
    Ok(answer)
}
