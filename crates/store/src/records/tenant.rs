//! Tenants: the intent, what was last observed, and where it is placed.

use aipress_types::AccountId;
use aipress_types::DesiredState;
use aipress_types::ShardId;
use aipress_types::TenantMetadata;
use aipress_types::TenantName;
use aipress_types::TenantObserved;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use aipress_types::Tier;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

use super::SortDirection;

/// How a tenant is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TenantRef {
    /// By name: the one that has it now, never an erased one.
    Name(TenantName),
    /// By uid: erased ones too.
    Uid(TenantUid),
}

impl From<TenantUid> for TenantRef {
    fn from(uid: TenantUid) -> Self {
        Self::Uid(uid)
    }
}

impl From<TenantName> for TenantRef {
    fn from(name: TenantName) -> Self {
        Self::Name(name)
    }
}

impl std::fmt::Display for TenantRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Uid(uid) => uid.fmt(f),
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantRecord {
    /// Its uid, never reused.
    pub uid: TenantUid,
    /// Its name, unique among tenants that are not erased.
    pub name: TenantName,
    /// Who owns it.
    pub account: AccountId,
    /// What people call it and how they group it; empty once erased.
    pub metadata: TenantMetadata,
    /// What it is asked to be; empty once erased.
    pub spec: TenantSpec,
    /// The target.
    pub desired: DesiredState,
    /// Where it is in its life.
    pub state: TenantState,
    /// Counts changes of the intent, from 1.
    pub generation: u64,
    /// Counts placements; 0 while it has no shard.
    pub placement_epoch: u64,
    /// The shard that holds it.
    pub shard: Option<ShardId>,
    /// Opaque; differs after any write of the row and between tenants.
    pub etag: String,
    /// What the shard last reported.
    pub observed: Option<TenantObserved>,
    /// Generation of that report; 0 before the first.
    pub observed_generation: u64,
    /// The slot that it sits in, 1-based, as last reported.
    pub slot: Option<u32>,
    /// Its secrets, sealed by the caller; empty once erased.
    pub sealed_secrets: Vec<u8>,
    /// What is wrong, for people; no secrets.
    pub message: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When its row last changed.
    pub updated_at: OffsetDateTime,
    /// Since when its state is deleted; the undelete window counts from here.
    pub deleted_at: Option<OffsetDateTime>,
    /// When it was erased.
    pub erased_at: Option<OffsetDateTime>,
}

/// A tenant to make: generation 1, placement epoch 1 where a shard is given, else 0.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantInsert {
    /// Its uid.
    pub uid: TenantUid,
    /// Its name.
    pub name: TenantName,
    /// Who owns it; must exist.
    pub account: AccountId,
    /// What people call it and how they group it.
    pub metadata: TenantMetadata,
    /// What it is asked to be.
    pub spec: TenantSpec,
    /// The target.
    pub desired: DesiredState,
    /// Where it starts, usually [`TenantState::Creating`].
    pub state: TenantState,
    /// The shard that takes it, where placement found one; must exist.
    pub shard: Option<ShardId>,
    /// Its secrets, sealed by the caller.
    pub sealed_secrets: Vec<u8>,
    /// When.
    pub now: OffsetDateTime,
}

/// A change of what is asked of a tenant. Any change counts as a new generation.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantIntentUpdate {
    /// The tenant.
    pub uid: TenantUid,
    /// The etag that the caller saw (`If-Match`); `None` takes any.
    pub expected_etag: Option<String>,
    /// New spec; `None` keeps it.
    pub spec: Option<TenantSpec>,
    /// New target; `None` keeps it.
    pub desired: Option<DesiredState>,
    /// New state, where the change of intent is already one of state; `None` keeps it.
    pub state: Option<TenantState>,
    /// New sealed secrets (a rotation); `None` keeps them.
    pub sealed_secrets: Option<Vec<u8>>,
    /// When.
    pub now: OffsetDateTime,
}

impl TenantIntentUpdate {
    /// An update that changes nothing but the generation, to be filled in.
    pub fn new(uid: TenantUid, now: OffsetDateTime) -> Self {
        Self {
            uid,
            expected_etag: None,
            spec: None,
            desired: None,
            state: None,
            sealed_secrets: None,
            now,
        }
    }
}

/// What a shard reported, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantObservation {
    /// The report, with the tenant's uid.
    pub observed: TenantObserved,
    /// The state that follows; `None` keeps it.
    pub state: Option<TenantState>,
    /// What is wrong, for people; replaces what was there.
    pub message: Option<String>,
    /// When.
    pub now: OffsetDateTime,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum TenantRecorded {
    /// Written; the row as it is now.
    Changed(Box<TenantRecord>),
    /// It said what is known already; the row, its etag included, is as before.
    Unchanged(Box<TenantRecord>),
    /// It is about an older placement or generation than what is known; dropped.
    Stale(Box<TenantRecord>),
}

impl TenantRecorded {
    /// The row as it is now.
    pub fn record(&self) -> &TenantRecord {
        match self {
            Self::Changed(record) | Self::Unchanged(record) | Self::Stale(record) => record,
        }
    }
}

/// Which tenants are wanted; every field that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantFilter {
    /// Only these accounts (what the caller may see); `None` for all.
    pub accounts: Option<Vec<AccountId>>,
    /// Only these states; empty for all but erased.
    pub states: Vec<TenantState>,
    /// Only this tier.
    pub tier: Option<Tier>,
    /// Only those whose shard is in this region.
    pub region: Option<String>,
    /// Only those on this shard.
    pub shard: Option<ShardId>,
    /// Only those with all of these labels: names and values.
    pub labels: Vec<(String, String)>,
    /// Only names that start with this.
    pub name_prefix: Option<String>,
    /// Only names that contain this.
    pub name_contains: Option<String>,
}

/// What a list of tenants is ordered by (ties by uid).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantSortKey {
    /// By name.
    #[default]
    Name,
    /// By when it was made.
    Created,
    /// By when it last changed.
    Updated,
}

/// Order of a list of tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSort {
    /// By what.
    pub key: TenantSortKey,
    /// In which direction.
    pub direction: SortDirection,
}

/// Position in a list of tenants. Good only for the order that it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantCursor {
    /// The order of the list.
    pub sort: TenantSort,
    /// Name of the last row seen, or its time in microseconds since 1970.
    pub key: String,
    /// Uid of the last row seen.
    pub uid: TenantUid,
}
