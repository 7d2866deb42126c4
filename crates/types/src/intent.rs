//! What was asked for (intent) and what is (observed), numbered so that receivers refuse older.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::ids::OperationId;
use crate::ids::TenantUid;
use crate::name::TenantName;
use crate::package::PackageKind;
use crate::secrets::TenantSecrets;
use crate::spec::TenantSpec;
use crate::state::DesiredState;

/// What meta asks of a shard for one tenant: complete, so that the last one alone is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantIntent {
    /// The tenant.
    pub uid: TenantUid,
    /// Its name, for hosts and people.
    pub name: TenantName,
    /// Counts changes of the intent; a shard refuses a lower one.
    pub generation: u64,
    /// Counts placements; a shard refuses an older one.
    pub placement_epoch: u64,
    /// The target.
    pub desired: DesiredState,
    /// The spec.
    pub spec: TenantSpec,
    /// The site's address, such as `http://bakery.localhost:8080`.
    pub home: String,
    /// Host names (with port where it is not the scheme's own) that the site answers to.
    pub hosts: Vec<String>,
    /// Its secrets.
    pub secrets: TenantSecrets,
    /// The operation that waits for it, where one does.
    pub operation: Option<OperationId>,
    /// What the site is made of, where it is not the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<IntentContent>,
    /// Plugins and themes that must go, whoever installed them; what the spec names stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<PackageRef>,
}

/// One plugin or theme of a site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageRef {
    /// Which of the two.
    pub kind: PackageKind,
    /// Its folder's name.
    pub name: String,
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The archive that a site is made of, as long as it is being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntentContent {
    /// The import: its archive is pulled from meta.
    pub import: uuid::Uuid,
    /// WordPress version that the site had. The nearest that can be had is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wordpress_version: Option<String>,
}

/// How far a shard is with an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObservedPhase {
    /// On its way.
    Converging,
    /// The intent of this generation is reality.
    Converged,
    /// Trying again does not help until somebody changes something (the message says what).
    Failed,
}

/// State of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Failed; the message says why. It is tried again unless the operation failed.
    Failed,
}

impl StepState {
    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// One step of converging, as the shard did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedStep {
    /// Stable name, such as `database`.
    pub name: String,
    /// Where it is.
    pub state: StepState,
    /// How long it took, in milliseconds (0 until it ended).
    pub duration_ms: u64,
    /// What went wrong, for people; no secrets.
    pub message: Option<String>,
}

/// What a shard reports of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantObserved {
    /// The tenant.
    pub uid: TenantUid,
    /// The generation that this report is about.
    pub generation: u64,
    /// The placement that this report is about.
    pub placement_epoch: u64,
    /// How far it is.
    pub phase: ObservedPhase,
    /// The target of that generation.
    pub desired: DesiredState,
    /// The slot that the tenant sits in, 1-based.
    pub slot: Option<u32>,
    /// Core version that serves the site.
    pub wordpress_version: Option<String>,
    /// Steps of the latest convergence, in order.
    pub steps: Vec<ObservedStep>,
    /// What is wrong, for people; no secrets.
    pub message: Option<String>,
    /// Whether the site is up all the same: what failed leaves it as it was, such as an update of a
    /// plugin that was rolled back.
    #[serde(default)]
    pub serving: bool,
    /// Changes of plugins and themes that were taken back, and are not tried again until the spec
    /// changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rolled_back: Vec<RolledBack>,
    /// Limits that the site meets, a sentence for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
}

/// A change of a plugin or theme that made the site fail and was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// What was changed.
    #[serde(flatten)]
    pub package: PackageRef,
    /// What happened, for people.
    pub message: String,
}

impl TenantIntent {
    /// Whether this intent replaces `held` at a receiver: a newer placement always does, an older
    /// one never, and within one placement a generation that is not lower does.
    pub fn supersedes(&self, held: &TenantIntent) -> bool {
        (self.placement_epoch, self.generation) >= (held.placement_epoch, held.generation)
    }
}
