//! A plane without listeners, for tests of rules over a store of their own.

use std::sync::Arc;

use aipress_audit::Keeper;
use aipress_audit::SigningKey;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::seal::Sealer;
use aipress_store::Store;

use super::harness::Meta;
use crate::app::scope::Scope;
use crate::app::transfer::spool::Spool;
use crate::change::Origin;
use crate::http::internal::RoleTokens;
use crate::plane::Plane;
use crate::plane::PlaneParts;
use crate::policy::Caller;
use aipress_mirror::Mirror;

/// A plane over `store`, otherwise as `meta` is configured.
pub(super) async fn over(store: Store, meta: &Meta) -> Arc<Plane> {
    let config = meta.config();
    Arc::new(Plane::new(PlaneParts {
        store,
        clock: meta.clock.clone(),
        sealer: Sealer::new(&[1; 32]),
        sites: config.sites,
        federation: config.federation,
        php: config.php.clone(),
        roles: RoleTokens::default(),
        own_token: None,
        streams: config.streams,
        spool: Spool::new(config.registry_path.with_file_name("imports")),
        webhooks: config.webhooks,
        keeper: Keeper::new(config.checkpoints.path, SigningKey::from_seed(&[1; 32]).unwrap()),
        mirror: Mirror::open(&config.packages).unwrap(),
        lifecycle: Lifecycle::manual(),
    }))
}

/// A mutation of `caller` without key or condition.
pub(super) fn scope(plane: &Arc<Plane>, caller: &Caller) -> Scope {
    Scope {
        plane: Arc::clone(plane),
        caller: caller.clone(),
        origin: Origin {
            actor: caller.actor(),
            account: Some(caller.account.id),
            ..Origin::meta()
        },
        condition: None,
        claim: None,
        dry_run: None,
    }
}
