//! Exports and imports: archives of sites on their way out and in.

use aipress_types::AccountId;
use aipress_types::OperationId;
use aipress_types::ShardId;
use aipress_types::TenantSpec;
use aipress_types::TenantUid;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Where an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportState {
    /// It is being written.
    Running,
    /// It is whole.
    Done,
    /// It failed.
    Failed,
}

impl ExportState {
    /// The word in the registry and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }
}

/// An export.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRecord {
    /// Its id.
    pub id: Uuid,
    /// Whose site.
    pub tenant: TenantUid,
    /// That tenant's name when it was begun.
    pub tenant_name: String,
    /// Whose account.
    pub account: AccountId,
    /// Who asked for it.
    pub actor: String,
    /// Which shard has the spool.
    pub shard: ShardId,
    /// The operation that tells of it; `None` for one that feeds a clone.
    pub operation: Option<OperationId>,
    /// Where it is.
    pub state: ExportState,
    /// What the shard said last.
    pub status: Value,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// When its spool is removed.
    pub expires_at: OffsetDateTime,
}

/// Where an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Its archive is on its way.
    Uploading,
    /// Its tenant is being made.
    Building,
    /// Making its tenant failed; what there is of it is being removed.
    Removing,
    /// Its tenant is there.
    Done,
    /// It failed, and nothing of it is left.
    Failed,
}

impl ImportState {
    const ALL: [Self; 5] =
        [Self::Uploading, Self::Building, Self::Removing, Self::Done, Self::Failed];

    /// The word in the registry and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Building => "building",
            Self::Removing => "removing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRecord {
    /// Its id.
    pub id: Uuid,
    /// The account that gets the site.
    pub account: AccountId,
    /// Who asked for it.
    pub actor: String,
    /// Name of the site that is made.
    pub name: String,
    /// Its spec; that of the archive when `None`.
    pub spec: Option<TenantSpec>,
    /// Where it is.
    pub state: ImportState,
    /// The export that it is made of; `None` for an uploaded archive.
    pub source: Option<Uuid>,
    /// What a look at the archive brought.
    pub report: Option<Value>,
    /// WordPress version that the site had.
    pub wordpress_version: Option<String>,
    /// The tenant that is made.
    pub tenant: Option<TenantUid>,
    /// The operation that makes it.
    pub operation: Option<OperationId>,
    /// Why it failed.
    pub message: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When an upload that does not go on is removed.
    pub expires_at: OffsetDateTime,
}
