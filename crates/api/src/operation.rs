//! Operations on the wire: long-running changes with their steps.

use aipress_types::StepState;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::problem::Problem;

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Recorded, nothing done yet.
    Pending,
    /// Under way.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly; `error` says why.
    Failed,
    /// Overtaken by a later change of the same tenant.
    Superseded,
}

impl OperationState {
    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// A long-running change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// Its id.
    pub id: Uuid,
    /// What is done, such as `tenant.create`.
    pub kind: String,
    /// The tenant that it changes.
    pub tenant_uid: Uuid,
    /// That tenant's name.
    pub tenant_name: String,
    /// Where it is.
    pub state: OperationState,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// Address of the site, once it has ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ended.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub finished_at: Option<OffsetDateTime>,
}

/// One step of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Stable name, such as `database`.
    pub name: String,
    /// What it does, for people.
    pub title: String,
    /// Where it is.
    pub state: StepState,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What went wrong; no secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One event of an operation's stream; its number is the `id` of the server-sent event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationEventView {
    /// Number within the operation, from 1.
    pub seq: u64,
    /// `step` or `state`.
    pub kind: String,
    /// The operation as it was after the event.
    pub operation: OperationView,
}
