//! Audit rows on the wire, and what a look at their chains found.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// Who did what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// Its number.
    pub id: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who.
    pub actor: String,
    /// For whom, such as `account:<uuid>`, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// What, such as `tenant.create`.
    pub action: String,
    /// On what.
    pub resource: String,
    /// What that was called; gone once it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Hash of the plan that it was applied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// State before, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// State after, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// Why, as was said with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// Its place among the rows of its account.
    pub chain: AuditChainView,
}

/// A row's place in its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditChainView {
    /// The place, from 1.
    pub seq: u64,
    /// SHA-256 over the link before, the row and its payload's hash, in hex.
    pub link: String,
    /// SHA-256 over salt and payload (name, before, after, reason), in hex.
    pub payload_sha256: String,
    /// The salt, in hex; none once the payload is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuditFault {
    /// The row is not as it was written, or the one before it is not.
    Changed,
    /// Rows are gone.
    Missing,
    /// A row that no change has written.
    Added,
    /// Rows at the end of the chain are gone.
    CutOff,
    /// The row fits its chain, but a checkpoint was signed for another one.
    Rewritten,
    /// The payload is gone, and what it tells of was never erased.
    Erased,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditFindingView {
    /// The account's id, or `platform`.
    pub chain: String,
    /// Place in the chain.
    pub seq: u64,
    /// The last place, where several are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Number of the row, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What it is.
    pub fault: AuditFault,
}

/// What a look at audit rows found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditVerificationView {
    /// Whether every row is as it was written, and none is missing or added.
    pub whole: bool,
    /// Chains looked at.
    pub chains: u64,
    /// Rows looked at.
    pub rows: u64,
    /// Rows whose payload was erased with what they tell of.
    pub erased: u64,
    /// How much is wrong with rows.
    pub faults: u64,
    /// The first 100 of it.
    pub findings: Vec<AuditFindingView>,
    /// What the rows were compared with.
    pub checkpoints: AuditCheckpointsSeen,
}

/// A look through the file of checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCheckpointsSeen {
    /// Checkpoints in the file.
    pub count: u64,
    /// Places of chains that were compared with what was signed.
    pub compared: u64,
    /// What is wrong with the file, in words.
    pub faults: Vec<String>,
}

/// What checkpoints are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCheckpointsView {
    /// The public key (Ed25519) as PEM.
    pub public_key: String,
    /// The same in hex, as each checkpoint names it.
    pub key: String,
    /// Checkpoints in the file.
    pub count: u64,
    /// Number of the last one.
    pub last: u64,
    /// When it was made.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub last_at: Option<OffsetDateTime>,
    /// What is wrong with the file, in words.
    pub faults: Vec<String>,
}
