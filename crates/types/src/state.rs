//! One table of tenant states and the transitions that are allowed.

use serde::Deserialize;
use serde::Serialize;

/// Where a tenant is in its life, as the registry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// Being made; not served yet.
    Creating,
    /// Served.
    Active,
    /// Kept, not served.
    Suspended,
    /// Being made failed for a reason that trying again does not mend by itself.
    Failed,
    /// Slot freed, files and database kept aside, name kept; can be undeleted.
    Deleted,
    /// Gone; only audit is left. Final.
    Erased,
}

impl TenantState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Creating, Self::Active, Self::Suspended, Self::Failed, Self::Deleted, Self::Erased];

    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }

    /// Whether the step from this state to `next` is in the table.
    pub fn may_become(self, next: Self) -> bool {
        use TenantState::*;
        matches!(
            (self, next),
            (Creating, Active | Failed | Suspended | Deleted)
                | (Failed, Active | Suspended | Deleted)
                | (Active, Suspended | Deleted | Failed)
                | (Suspended, Active | Deleted | Failed)
                | (Deleted, Active | Suspended | Erased | Failed)
        )
    }

    /// Whether the tenant sits in a slot of a shard.
    pub fn takes_slot(self) -> bool {
        !matches!(self, Self::Deleted | Self::Erased)
    }
}

impl std::str::FromStr for TenantState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no tenant state"))
    }
}

impl std::fmt::Display for TenantState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was asked of a tenant: the target that meta and shard converge to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DesiredState {
    /// Served.
    Active,
    /// Kept, not served.
    Suspended,
    /// Out of its slot, kept aside.
    Deleted,
    /// Gone for good.
    Erased,
}

impl DesiredState {
    /// The word on the wire and in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }

    /// The tenant state that this target ends in.
    pub fn reached(self) -> TenantState {
        match self {
            Self::Active => TenantState::Active,
            Self::Suspended => TenantState::Suspended,
            Self::Deleted => TenantState::Deleted,
            Self::Erased => TenantState::Erased,
        }
    }
}

impl std::str::FromStr for DesiredState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Active, Self::Suspended, Self::Deleted, Self::Erased]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no desired state"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erased_is_final_and_only_a_deleted_tenant_is_erased() {
        for state in TenantState::ALL {
            assert!(!TenantState::Erased.may_become(state), "{state}");
            assert_eq!(
                state.may_become(TenantState::Erased),
                state == TenantState::Deleted,
                "{state}"
            );
        }
    }

    #[test]
    fn nobody_goes_back_to_creating() {
        assert!(TenantState::ALL.iter().all(|state| !state.may_become(TenantState::Creating)));
    }

    #[test]
    fn words_round_trip() {
        for state in TenantState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
