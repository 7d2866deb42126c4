//! The vocabulary of the platform: ids, names, tenant spec, states, intent and observed, and the
//! pure rules (placement, limits). No I/O, no clock, no randomness.

pub mod capacity;
pub mod ids;
pub mod intent;
pub mod metadata;
pub mod name;
pub mod placement;
pub mod secrets;
pub mod shard;
pub mod spec;
pub mod state;
pub mod strict;
pub mod tier;

pub use ids::AccountId;
pub use ids::OperationId;
pub use ids::ProjectId;
pub use ids::ShardId;
pub use ids::TenantUid;
pub use ids::TokenId;
pub use ids::UserId;
pub use intent::ObservedPhase;
pub use intent::ObservedStep;
pub use intent::StepState;
pub use intent::TenantIntent;
pub use intent::TenantObserved;
pub use metadata::TenantMetadata;
pub use name::NameError;
pub use name::TenantName;
pub use secrets::Secret;
pub use secrets::TenantSecrets;
pub use shard::ShardFacts;
pub use shard::ShardHealth;
pub use shard::ShardSchedulability;
pub use spec::EnvironmentKind;
pub use spec::EnvironmentSpec;
pub use spec::FieldError;
pub use spec::PackageSpec;
pub use spec::PhpSpec;
pub use spec::RuntimeSpec;
pub use spec::TenantSpec;
pub use spec::WordPressSpec;
pub use state::DesiredState;
pub use state::TenantState;
pub use tier::Tier;
