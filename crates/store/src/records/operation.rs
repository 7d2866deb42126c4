//! Operations: long-running changes that somebody may wait for, their steps, their numbered events
//! (for resumable streams) and the lease of whoever drives them.

use aipress_types::AccountId;
use aipress_types::OperationId;
use aipress_types::StepState;
use aipress_types::TenantName;
use aipress_types::TenantUid;
use serde_json::Value;
use time::OffsetDateTime;

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationState {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Failed for good; `error` says why.
    Failed,
    /// Given up because something newer took its place, or somebody asked.
    Canceled,
}

impl OperationState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Canceled];

    /// The word in the registry and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether it stays so for ever.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// Who drives an operation, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationLease {
    /// Who (a process incarnation).
    pub owner: String,
    /// Until when, unless renewed.
    pub until: OffsetDateTime,
    /// Counts leases: a lower number than the row's has lost.
    pub fencing: u64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationStep {
    /// Its place, from 1.
    pub seq: u32,
    /// Stable name, unique within the operation.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Where it is.
    pub state: StepState,
    /// When it began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What went wrong, for people; no secrets.
    pub message: Option<String>,
}

/// An operation with its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRecord {
    /// Its id.
    pub id: OperationId,
    /// What it does, such as `tenant.create`.
    pub kind: String,
    /// The tenant that it changes.
    pub tenant: Option<TenantUid>,
    /// That tenant's name when it began.
    pub tenant_name: Option<TenantName>,
    /// The account that may see it.
    pub account: Option<AccountId>,
    /// Who asked for it.
    pub actor: String,
    /// Where it is.
    pub state: OperationState,
    /// The tenant's generation that it waits for; 0 for none.
    pub generation: u64,
    /// Why it failed (problem details).
    pub error: Option<Value>,
    /// What it led to; no secrets.
    pub result: Option<Value>,
    /// Version of the step list that it was begun with.
    pub workflow_version: u32,
    /// Who drives it; `None` before the first lease and once released.
    pub lease: Option<OperationLease>,
    /// Its steps, in order.
    pub steps: Vec<OperationStep>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// An operation to make: pending, with pending steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationInsert {
    /// Its id.
    pub id: OperationId,
    /// What it does, such as `tenant.create`.
    pub kind: String,
    /// The tenant that it changes.
    pub tenant: Option<TenantUid>,
    /// That tenant's name.
    pub tenant_name: Option<TenantName>,
    /// The account that may see it.
    pub account: Option<AccountId>,
    /// Who asked for it.
    pub actor: String,
    /// The tenant's generation that it waits for; 0 for none.
    pub generation: u64,
    /// Version of the step list.
    pub workflow_version: u32,
    /// Names and titles of its steps, in order.
    pub steps: Vec<(String, String)>,
    /// When.
    pub now: OffsetDateTime,
}

/// What a step is now. A step of an unknown name is appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationStepPut {
    /// Its name.
    pub name: String,
    /// Its title, for a step that is not there yet; `None` takes the name.
    pub title: Option<String>,
    /// Where it is.
    pub state: StepState,
    /// When it began; `None` keeps what is there.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended; `None` keeps what is there.
    pub finished_at: Option<OffsetDateTime>,
    /// How long it took, in milliseconds; `None` keeps what is there.
    pub duration_ms: Option<u64>,
    /// What went wrong; replaces what is there.
    pub message: Option<String>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum OperationOutcome {
    /// Done, with what it led to (no secrets).
    Succeeded(Option<Value>),
    /// Failed for good, with problem details.
    Failed(Value),
    /// Given up, with why.
    Canceled(Option<Value>),
}

/// Which operations are wanted; every field that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperationFilter {
    /// Only these accounts; `None` for all, and operations without an account only then.
    pub accounts: Option<Vec<AccountId>>,
    /// Only this tenant.
    pub tenant: Option<TenantUid>,
    /// Only these states; empty for all.
    pub states: Vec<OperationState>,
    /// Only this kind.
    pub kind: Option<String>,
}

/// An event of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationEvent {
    /// The operation.
    pub operation: OperationId,
    /// Its number within the operation, from 1 without gaps (`Last-Event-ID`).
    pub seq: u64,
    /// When.
    pub at: OffsetDateTime,
    /// What happened, such as `step`.
    pub kind: String,
    /// The rest; no secrets.
    pub data: Value,
}
