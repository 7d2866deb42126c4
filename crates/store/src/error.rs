//! What can go wrong in the registry, in words that do not depend on the database behind it. Each
//! variant carries the decision whether trying again may help.

use aipress_types::TenantState;

/// Which rule a write would have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConflictRule {
    /// A name is unique among tenants that are not erased.
    TenantName,
    /// A uid is never reused.
    TenantUid,
    /// A host has one route, and a live one is not taken from its tenant.
    Host,
    /// A user's login is unique.
    UserLogin,
    /// The row refers to one that does not exist (an account, a shard, an operation …).
    Reference,
    /// Any other primary key or unique column, or a check of the schema.
    Other,
}

/// Failure of a read or write of the registry.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The write would break a rule of uniqueness or reference; nothing was written.
    #[error("the registry already has, or lacks, what this write needs: {rule:?}")]
    Conflict {
        /// The rule.
        rule: ConflictRule,
    },
    /// The row is no longer as the caller saw it.
    #[error("the tenant was changed meanwhile: its etag is `{current}` now")]
    EtagMismatch {
        /// Its etag now.
        current: String,
    },
    /// No such row.
    #[error("no such {noun}: `{id}`")]
    NotFound {
        /// What was looked for, such as `tenant`.
        noun: &'static str,
        /// Its id or name.
        id: String,
    },
    /// The table of tenant states does not allow this step.
    #[error("a tenant that is {from} cannot become {to}")]
    Transition {
        /// The state that it is in.
        from: TenantState,
        /// The state that was asked for.
        to: TenantState,
    },
    /// Somebody else holds the lease, with a higher fencing number; stop working on it.
    #[error("the lease on `{id}` is lost: somebody else holds it now")]
    Fenced {
        /// The operation or idempotency key.
        id: String,
    },
    /// The cursor belongs to another list or order.
    #[error("the cursor does not belong to this list")]
    Cursor,
    /// The disk (or the size limit of the database) is full; nothing was written.
    #[error("the disk of the registry is full: free some space in its folder")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file system refuses to read or write: a disk that fails, is mounted read-only, or a
    /// folder that is not ours.
    #[error(
        "the registry's disk does not work: look at it (`dmesg`, `mount`, the owner of `meta/`); \
         nothing was written"
    )]
    Disk(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another writer held the lock for longer than the time-out.
    #[error("the registry is busy (another process writes, or a copy of it is made): try again")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no registry, and none may be made.
    #[error(
        "the registry is gone or empty: bring it back from a copy (see Backup in docs/RUNNING.md)"
    )]
    Gone,
    /// The file is damaged, or holds a value that this version does not know.
    #[error(
        "the registry is damaged or holds what this version does not know ({context}); it is left \
         as it is: bring it back from a copy (see Backup in docs/RUNNING.md)"
    )]
    Corrupt {
        /// Where, such as `tenants.spec`.
        context: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The schema was written by a newer version of the platform.
    #[error("the registry has schema {found}, this version knows {known}: start a newer aipress")]
    SchemaTooNew {
        /// Version of the schema in the file.
        found: i64,
        /// Newest version that this binary knows.
        known: i64,
    },
    /// Anything else; the source says what.
    #[error("the registry failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same call may succeed a little later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy(_) => true,
            Self::Conflict { .. }
            | Self::EtagMismatch { .. }
            | Self::NotFound { .. }
            | Self::Transition { .. }
            | Self::Fenced { .. }
            | Self::Cursor
            | Self::Full(_)
            | Self::Disk(_)
            | Self::Gone
            | Self::Corrupt { .. }
            | Self::SchemaTooNew { .. }
            | Self::Other(_) => false,
        }
    }

    /// A row that is not there.
    pub(crate) fn not_found(noun: &'static str, id: impl ToString) -> Self {
        Self::NotFound { noun, id: id.to_string() }
    }

    /// A value that cannot be read back.
    pub(crate) fn corrupt(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt { context: context.into(), source: Some(source.into()) }
    }
}
