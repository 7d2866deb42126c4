//! Who may do what: the one function that every handler asks. A first cut; later policies fill
//! it in without touching a handler.

use aipress_store::AccountRecord;
use aipress_store::OperationRecord;
use aipress_store::TenantRecord;
use aipress_store::TokenRecord;
use aipress_store::UserRecord;
use aipress_types::AccountId;

/// Role of the platform's own administrators: they may do all.
pub(crate) const PLATFORM_ADMIN: &str = "platform-admin";
/// Role of a customer's people: all on the tenants of their own account.
pub(crate) const MEMBER: &str = "member";

/// Who calls, as their token proved.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The user.
    pub(crate) user: UserRecord,
    /// Their account.
    pub(crate) account: AccountRecord,
    /// The token in use.
    pub(crate) token: TokenRecord,
}

/// What is asked for: one for each endpoint, so that policy can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    AuditList,
    AuditVerify,
    EventList,
    ExportRead,
    ImportRead,
    MeRead,
    MetricsRead,
    OperationList,
    OperationRead,
    PlanApply,
    PlanCreate,
    PlanRead,
    PackageAdd,
    PackageDelete,
    PackageFetch,
    PackageList,
    PackageRead,
    ProjectList,
    ShardList,
    ShardRead,
    ShardUpdate,
    TenantClone,
    TenantCreate,
    TenantCron,
    TenantDelete,
    TenantErase,
    TenantExport,
    TenantInventoryRead,
    TenantInventoryRefresh,
    TenantList,
    TenantLoginLink,
    TenantLogs,
    TenantMail,
    TenantMailDelete,
    TenantMailRetry,
    TenantRead,
    TenantReplace,
    TenantPackageActivate,
    TenantPackageDeactivate,
    TenantPackageInstall,
    TenantPackageRead,
    TenantPackageRemove,
    TenantPackageUpdate,
    TenantResume,
    TenantRotateSecrets,
    TenantSuspend,
    TenantUndelete,
    TenantUpdate,
    TenantWp,
    WebhookCreate,
    WebhookDelete,
    WebhookList,
    WebhookRead,
    WebhookReplay,
    WebhookRotateSecret,
    WebhookTest,
    WebhookUpdate,
}

/// On what.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resource<'a> {
    /// The platform as a whole, or a list that is cut to what the caller may see.
    Platform,
    /// One part of the platform that customers do not see.
    Shard,
    /// What belongs to an account.
    Account(AccountId),
    /// A tenant.
    Tenant(&'a TenantRecord),
    /// An operation.
    Operation(&'a OperationRecord),
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The caller must not learn whether it exists.
    Hidden,
    /// The caller may know of it, and may not do that.
    Forbidden,
}

impl Caller {
    /// The caller in audit rows and idempotency scopes.
    pub(crate) fn actor(&self) -> String {
        format!("user:{}", self.user.id)
    }
}

/// Whether `caller` may do `action` on `resource`.
///
/// # Errors
/// [`Denied`] says how the refusal must look.
pub(crate) fn authorize(
    caller: &Caller,
    action: Action,
    resource: Resource<'_>,
) -> Result<(), Denied> {
    if action == Action::MeRead {
        return Ok(());
    }
    // Limited tokens come later; until then a limit that is not understood allows nothing.
    if !caller.token.scope.is_null() {
        return Err(Denied::Forbidden);
    }
    if caller.user.role == PLATFORM_ADMIN {
        return Ok(());
    }
    let owner = match resource {
        Resource::Platform => {
            return match action {
                Action::TenantList
                | Action::OperationList
                | Action::EventList
                | Action::AuditList
                | Action::AuditVerify
                | Action::PlanApply
                | Action::PlanCreate
                | Action::PlanRead
                | Action::WebhookList
                | Action::PackageList
                | Action::PackageRead
                    if caller.user.role == MEMBER =>
                {
                    Ok(())
                }
                _ => Err(Denied::Forbidden),
            };
        }
        Resource::Shard => return Err(Denied::Hidden),
        Resource::Account(account) => Some(account),
        Resource::Tenant(tenant) => Some(tenant.account),
        Resource::Operation(operation) => operation.account,
    };
    if owner == Some(caller.account.id) && caller.user.role == MEMBER {
        Ok(())
    } else {
        Err(Denied::Hidden)
    }
}

/// The accounts whose rows the caller sees in lists; `None` for all.
pub(crate) fn visible_accounts(caller: &Caller) -> Option<Vec<AccountId>> {
    (caller.user.role != PLATFORM_ADMIN).then(|| vec![caller.account.id])
}
