//! Tiers and what comes with them (`facts.md`). Money is in cents, sizes are in bytes.

use serde::Deserialize;
use serde::Serialize;

/// What a tenant pays for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Shared, scales to zero.
    #[default]
    Bronze,
    /// Own workers, at least one kept warm.
    Silver,
    /// Own everything.
    Gold,
}

/// The figures of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierLimits {
    /// Price a month, in cents.
    pub price_cents: u32,
    /// Storage, in bytes.
    pub storage_bytes: u64,
    /// Bandwidth a month, in bytes.
    pub bandwidth_bytes: u64,
    /// Visits a month.
    pub visits: u64,
    /// PHP workers at once.
    pub max_workers: u32,
    /// PHP workers kept warm.
    pub min_workers: u32,
    /// CPU when others want it, too: against the others' weights.
    pub cpu_weight: u32,
    /// CPU at most, in thousandths of a core.
    pub cpu_millis: u32,
    /// Memory of all processes, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// Database, in bytes.
    pub database_bytes: u64,
    /// Part of the shard's Redis, in percent.
    pub cache_percent: u32,
}

const GB: u64 = 1_000_000_000;
const GIB: u64 = 1 << 30;

impl Tier {
    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }

    /// What comes with the tier.
    pub fn limits(self) -> TierLimits {
        match self {
            Self::Bronze => TierLimits {
                price_cents: 200,
                storage_bytes: 5 * GB,
                bandwidth_bytes: 50 * GB,
                visits: 10_000,
                max_workers: 4,
                min_workers: 0,
                cpu_weight: 100,
                cpu_millis: 1000,
                memory_bytes: GIB,
                processes: 64,
                database_bytes: GB,
                cache_percent: 15,
            },
            Self::Silver => TierLimits {
                price_cents: 500,
                storage_bytes: 25 * GB,
                bandwidth_bytes: 250 * GB,
                visits: 100_000,
                max_workers: 8,
                min_workers: 1,
                cpu_weight: 200,
                cpu_millis: 2000,
                memory_bytes: 2 * GIB,
                processes: 96,
                database_bytes: 5 * GB,
                cache_percent: 25,
            },
            Self::Gold => TierLimits {
                price_cents: 1_500,
                storage_bytes: 100 * GB,
                bandwidth_bytes: 1_000 * GB,
                visits: 1_000_000,
                max_workers: 16,
                min_workers: 2,
                cpu_weight: 400,
                cpu_millis: 4000,
                memory_bytes: 4 * GIB,
                processes: 128,
                database_bytes: 20 * GB,
                cache_percent: 40,
            },
        }
    }
}

impl std::str::FromStr for Tier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "bronze" => Ok(Self::Bronze),
            "silver" => Ok(Self::Silver),
            "gold" => Ok(Self::Gold),
            other => Err(format!("`{other}` is no tier: bronze, silver or gold")),
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
