//! The life of meta: opens the registry, starts reconcilers and listeners, ends in order.

use std::sync::Arc;

use aipress_audit::Keeper;
use aipress_audit::SigningKey;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::seal::Sealer;
use aipress_kit::tasks;
use aipress_store::Store;
use aipress_store::StoreError;
use aipress_store::StoreOptions;
use uuid::Uuid;

use crate::admin_token;
use crate::admin_token::AdminTokenError;
use crate::app::transfer::spool::Spool;
use crate::config::MasterKey;
use crate::config::MetaConfig;
use crate::error::MetaError;
use crate::http;
use crate::http::internal::RoleTokens;
use crate::key_check;
use crate::plane::Plane;
use crate::plane::PlaneParts;
use crate::reconcilers;
use aipress_mirror::Mirror;

/// Runs meta until `lifecycle` ends it.
///
/// # Errors
/// See [`MetaError`].
pub async fn run(config: MetaConfig, lifecycle: Lifecycle) -> Result<(), MetaError> {
    // Written at the first start, after the registry was made.
    let is_first = !config.admin_token_file.exists();
    let sealer = sealer(&config.master_key, is_first)?;
    let roles = RoleTokens::from_file(&config.role_tokens)?;
    let registry =
        |source: StoreError| MetaError::Registry { path: config.registry_path.clone(), source };
    // Sites that nobody knows any more would be the end of an empty registry in the old one's place.
    let options = StoreOptions {
        may_create: is_first,
        ..StoreOptions::new(&config.registry_path, Uuid::new_v4())
    };
    let store = Store::open(options).await.map_err(registry)?;
    if !key_check::fits(&store, &sealer, &config.clock).await.map_err(registry)? {
        return Err(MetaError::MasterKeyOther);
    }
    admin_token::ensure(&store, &config.clock, &config.admin_token_file).await.map_err(
        |error| match error {
            AdminTokenError::Store(source) => registry(source),
            AdminTokenError::Random(source) => source.into(),
            AdminTokenError::File(source) => {
                MetaError::AdminTokenFile { path: config.admin_token_file.clone(), source }
            }
        },
    )?;
    let signing = SigningKey::ensure(&store, &sealer, &config.clock).await?;
    let keeper = Keeper::new(config.checkpoints.path, signing);
    let mirror = Mirror::open(&config.packages)
        .map_err(|source| MetaError::Packages { path: config.packages.dir.clone(), source })?;
    let plane = Arc::new(Plane::new(PlaneParts {
        store: store.clone(),
        clock: config.clock,
        sealer,
        sites: config.sites,
        federation: config.federation,
        php: config.php,
        roles,
        own_token: config.own_token,
        streams: config.streams,
        spool: Spool::new(config.registry_path.with_file_name("imports")),
        webhooks: config.webhooks,
        mirror,
        keeper,
        lifecycle: lifecycle.clone(),
    }));
    let reconcilers = reconcilers::start(&plane, config.checkpoints.interval);
    let mut public = tasks::spawn(
        "public-listener",
        aipress_kit::http::serve(
            config.public,
            http::public_router(Arc::clone(&plane)),
            lifecycle.clone(),
        ),
    );
    let mut internal = tasks::spawn(
        "internal-listener",
        aipress_kit::http::serve(
            config.internal,
            http::internal_router(Arc::clone(&plane)),
            lifecycle.clone(),
        ),
    );
    tracing::info!("meta is up");
    // A listener that ends by itself (a panic) takes the role down; the supervisor restarts it.
    let (early, other) = tokio::select! {
        _ = &mut public => (!lifecycle.drain.is_cancelled(), internal),
        _ = &mut internal => (!lifecycle.drain.is_cancelled(), public),
    };
    lifecycle.drain.cancel();
    let _ = other.await;
    for reconciler in reconcilers {
        let _ = reconciler.await;
    }
    store.close().await;
    if early { Err(MetaError::TaskEnded("a listener")) } else { Ok(()) }
}

/// The master key; a file of it is made at the first start.
fn sealer(key: &MasterKey, is_first: bool) -> Result<Sealer, MetaError> {
    match key {
        MasterKey::File(path) if !is_first && !path.exists() => {
            Err(MetaError::MasterKeyGone(path.clone()))
        }
        MasterKey::File(path) => {
            Sealer::ensure_key_file(path)?;
            Ok(Sealer::from_file(path)?)
        }
        MasterKey::Hex(text) => Sealer::from_hex(text.expose()).ok_or(MetaError::MasterKeyForm),
    }
}
