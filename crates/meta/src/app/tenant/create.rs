//! A new tenant: checked, placed and recorded in one transaction. What follows is the shard's.

use aipress_api::TenantCreate;
use aipress_store::ConflictRule;
use aipress_store::StoreError;
use aipress_store::TenantInsert;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use aipress_types::AccountId;
use aipress_types::DesiredState;
use aipress_types::FieldError;
use aipress_types::NameError;
use aipress_types::OperationId;
use aipress_types::TenantMetadata;
use aipress_types::TenantName;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use uuid::Uuid;

use crate::app::operation;
use crate::app::placement;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::secrets;
use crate::app::tenant;
use crate::change::Change;
use crate::change::Note;
use crate::codes;
use crate::config::SiteUrls;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Kind of the operation, and word in audit and events.
pub(crate) const KIND: &str = "tenant.create";

/// A tenant to make, as it was asked for.
#[derive(Debug)]
pub(crate) struct NewTenant<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: Option<AccountId>,
    pub(crate) metadata: TenantMetadata,
    pub(crate) spec: TenantSpec,
    /// Where name and account are in what was sent.
    pub(crate) base: &'a str,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct Checked {
    metadata: TenantMetadata,
    spec: TenantSpec,
    account_pointer: String,
}

/// Makes a tenant.
pub(crate) async fn create(scope: &Scope, body: TenantCreate) -> Result<Answer, ApiError> {
    let mut errors = body.metadata.check("/metadata");
    errors.extend(body.spec.check("/spec"));
    let new = NewTenant {
        name: &body.name,
        account: body.account,
        metadata: body.metadata,
        spec: body.spec,
        base: "",
    };
    let (name, account, checked) = self::checked(scope, new, errors)?;
    let change = Change::begin(&scope.plane).await?;
    make(scope, change, name, account, checked).await
}

/// What can be said without the registry: `errors` are those of metadata and spec.
pub(crate) fn checked(
    scope: &Scope,
    new: NewTenant<'_>,
    mut errors: Vec<FieldError>,
) -> Result<(TenantName, AccountId, Checked), ApiError> {
    errors.extend(tenant::check_installed(&scope.plane, &new.spec));
    let name = match check_name(new.name, &scope.plane.sites) {
        Ok(name) => Some(name),
        Err(error) => {
            errors.insert(0, FieldError::new(format!("{}/name", new.base), error.to_string()));
            None
        }
    };
    let (Some(name), true) = (name, errors.is_empty()) else {
        return Err(ApiError::fields(errors));
    };
    let account = new.account.unwrap_or(scope.caller.account.id);
    let account_pointer = format!("{}/account", new.base);
    authorize(&scope.caller, Action::TenantCreate, Resource::Account(account))
        .map_err(|_| no_account(&account_pointer, account))?;
    let mut spec = new.spec;
    // WordPress wants a title; kept in the spec, so that intent and view say what it will be.
    spec.wordpress.title.get_or_insert_with(|| name.to_string());
    Ok((name, account, Checked { metadata: new.metadata, spec, account_pointer }))
}

/// Places and writes it.
pub(crate) async fn make(
    scope: &Scope,
    mut change: Change<'_>,
    name: TenantName,
    account: AccountId,
    checked: Checked,
) -> Result<Answer, ApiError> {
    let (made, operation) = record(scope, &mut change, name, account, checked, KIND).await?;
    let answer = tenant::answer(&mut change, 202, &made, operation).await?;
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// Refuses a name that somebody has.
pub(crate) async fn check_free(
    scope: &Scope,
    change: &mut Change<'_>,
    name: &TenantName,
) -> Result<(), ApiError> {
    match change.txn.tenant_fetch(&TenantRef::Name(name.clone())).await? {
        Some(holder) => Err(name_taken(&holder, &scope.caller)),
        None => Ok(()),
    }
}

/// Places and writes it within a change, with an operation of this kind.
pub(crate) async fn record(
    scope: &Scope,
    change: &mut Change<'_>,
    name: TenantName,
    account: AccountId,
    checked: Checked,
    kind: &str,
) -> Result<(TenantRecord, OperationId), ApiError> {
    let plane = &scope.plane;
    let uid = TenantUid(Uuid::new_v4());
    let sealed_secrets = secrets::make(&plane.sealer, uid)
        .map_err(|error| ApiError::internal("make secrets", &error))?;
    check_free(scope, change, &name).await?;
    if change.txn.account_fetch(account).await?.is_none() {
        return Err(no_account(&checked.account_pointer, account));
    }
    let shard = placement::choose(change, &name, &checked.spec).await?;
    let insert = TenantInsert {
        uid,
        name,
        account,
        metadata: checked.metadata,
        spec: checked.spec,
        desired: DesiredState::Active,
        state: TenantState::Creating,
        shard: Some(shard),
        sealed_secrets,
        now: change.now,
    };
    let made = change.txn.tenant_insert(&insert).await.map_err(|error| match error {
        StoreError::Conflict { rule: ConflictRule::TenantName } => {
            ApiError::new(&codes::NAME_TAKEN, "another site has this name: choose another")
        }
        other => other.into(),
    })?;
    change.route(&made).await?;
    let operation = operation::begin(change, &scope.origin, kind, &made).await?;
    let after = tenant::audited(&made, &plane.sites);
    change.note_tenant(&scope.origin, &made, Note { action: kind, before: None, after }).await?;
    change.push(uid);
    Ok((made, operation))
}

/// Why a text is no name for a new tenant here.
#[derive(Debug, thiserror::Error)]
enum RefusedName {
    #[error(transparent)]
    Form(#[from] NameError),
    #[error("a name must not look like a uid: the two are used in the same places")]
    Uid,
    #[error("the name `{0}` is reserved")]
    Console(String),
}

fn check_name(text: &str, sites: &SiteUrls) -> Result<TenantName, RefusedName> {
    let name: TenantName = text.parse()?;
    if text.parse::<TenantUid>().is_ok() {
        return Err(RefusedName::Uid);
    }
    if sites.host(text) == sites.console_host {
        return Err(RefusedName::Console(text.to_owned()));
    }
    Ok(name)
}

/// The refusal of a name that `holder` has.
pub(crate) fn name_taken(holder: &TenantRecord, caller: &Caller) -> ApiError {
    let own = authorize(caller, Action::TenantRead, Resource::Tenant(holder)).is_ok();
    let name = &holder.name;
    let detail = match (own, holder.desired) {
        (true, DesiredState::Deleted) => format!(
            "`{name}` is a deleted site that keeps its name for 7 days: undelete it, or erase it \
             to free the name"
        ),
        (true, DesiredState::Erased) => {
            format!("`{name}` is being erased: its name is free once that is done")
        }
        (true, _) => format!("you have a site `{name}` already: choose another name"),
        // Whose it is and in which state is not for others.
        (false, _) => format!("another site has the name `{name}`: choose another"),
    };
    ApiError::new(&codes::NAME_TAKEN, detail)
}

/// One's own missing account and somebody else's existing one look the same.
fn no_account(pointer: &str, id: AccountId) -> ApiError {
    ApiError::field(pointer, format!("there is no account `{id}` that you can use"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_uid_and_not_the_consoles() {
        let sites = SiteUrls {
            scheme: "http".into(),
            base_domain: "localhost".into(),
            public_port: 8080,
            console_host: "panel.localhost".into(),
        };
        assert!(check_name("bakery", &sites).is_ok());
        for bad in ["panel", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "console", "ab", "A-b"] {
            assert!(check_name(bad, &sites).is_err(), "{bad}");
        }
    }
}
