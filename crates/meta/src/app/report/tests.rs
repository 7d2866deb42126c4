//! Which state follows from which report.

use super::*;
use aipress_types::AccountId;
use aipress_types::TenantSpec;
use aipress_types::TenantUid;
use time::OffsetDateTime;
use uuid::Uuid;

fn tenant(desired: DesiredState, state: TenantState) -> TenantRecord {
    TenantRecord {
        uid: TenantUid(Uuid::nil()),
        name: "bakery".parse().unwrap(),
        account: AccountId(Uuid::nil()),
        metadata: aipress_types::TenantMetadata::default(),
        spec: TenantSpec::default(),
        desired,
        state,
        generation: 3,
        placement_epoch: 1,
        shard: ShardId::from_number(1),
        etag: String::new(),
        observed: None,
        observed_generation: 0,
        slot: None,
        sealed_secrets: Vec::new(),
        message: None,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
        deleted_at: None,
        erased_at: None,
    }
}

fn observed(desired: DesiredState, phase: ObservedPhase) -> TenantObserved {
    TenantObserved {
        uid: TenantUid(Uuid::nil()),
        generation: 3,
        placement_epoch: 1,
        phase,
        desired,
        slot: None,
        wordpress_version: None,
        steps: Vec::new(),
        message: None,
        serving: false,
        rolled_back: Vec::new(),
        limits: Vec::new(),
    }
}

#[test]
fn the_state_follows_from_the_phase() {
    use DesiredState as D;
    use ObservedPhase as P;
    use TenantState as S;
    for (desired, state, phase, next) in [
        (D::Active, S::Creating, P::Converging, S::Creating),
        (D::Active, S::Creating, P::Converged, S::Active),
        (D::Active, S::Creating, P::Failed, S::Failed),
        (D::Active, S::Active, P::Failed, S::Active),
        (D::Active, S::Suspended, P::Failed, S::Suspended),
        (D::Active, S::Suspended, P::Converged, S::Active),
        (D::Active, S::Deleted, P::Converged, S::Active),
        (D::Active, S::Deleted, P::Failed, S::Failed),
        (D::Active, S::Failed, P::Converged, S::Active),
        (D::Suspended, S::Creating, P::Converged, S::Suspended),
        (D::Suspended, S::Active, P::Converged, S::Suspended),
        (D::Deleted, S::Creating, P::Converged, S::Deleted),
        (D::Deleted, S::Creating, P::Failed, S::Failed),
        (D::Deleted, S::Active, P::Failed, S::Active),
        (D::Deleted, S::Deleted, P::Failed, S::Deleted),
        (D::Erased, S::Deleted, P::Converged, S::Deleted),
        (D::Erased, S::Deleted, P::Failed, S::Deleted),
    ] {
        let found = next_state(&tenant(desired, state), &observed(desired, phase));
        assert_eq!(found, next, "{state} asked to be {desired:?}, {phase:?}");
    }
}

#[test]
fn a_site_that_was_up_in_this_generation_and_fails_is_broken() {
    let mut up = tenant(DesiredState::Active, TenantState::Active);
    up.observed = Some(observed(DesiredState::Active, ObservedPhase::Converged));
    let failed = observed(DesiredState::Active, ObservedPhase::Failed);
    assert_eq!(next_state(&up, &failed), TenantState::Failed);
    // The same failure of a change: what was up is of an earlier generation.
    if let Some(before) = &mut up.observed {
        before.generation = 2;
    }
    assert_eq!(next_state(&up, &failed), TenantState::Active);
}
