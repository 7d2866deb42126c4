//! What every handler and reconciler of one meta shares.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aipress_audit::Keeper;
use aipress_feed::Feed;
use aipress_feed::OperationFeeds;
use aipress_feed::webhooks::WebhookConfig;
use aipress_feed::webhooks::Webhooks;
use aipress_flow::Backoff;
use aipress_flow::WorkQueue;
use aipress_kit::clock::Clock;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::seal::Sealer;
use aipress_mirror::Mirror;
use aipress_store::Store;
use aipress_types::OperationId;
use aipress_types::Secret;
use aipress_types::TenantUid;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::sync::Semaphore;

use crate::app::shard::Heard;
use crate::app::transfer::look::Looks;
use crate::app::transfer::spool::Spool;
use crate::config::Federation;
use crate::config::SiteUrls;
use crate::http::internal::RoleTokens;
use crate::metrics::Metrics;
use crate::signals::Signals;
use crate::streams::StreamLimits;
use crate::streams::Streams;

/// Mutations under way at once; more wait. The registry has one writer, so more would only queue
/// there, against its time-out.
const MUTATIONS: usize = 256;
/// Logs that are followed at once: each is looked at by its shard four times a second.
const LOG_STREAMS: StreamLimits = StreamLimits { total: 128, per_caller: 16 };
/// A push that failed is tried again after this; the shard also pulls by itself.
const PUSH_BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(250), max: Duration::from_secs(30) };
/// An end of an operation that could not be written is tried again after this.
const END_BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(50), max: Duration::from_secs(5) };

/// One meta.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    started: OffsetDateTime,
    pub(crate) sealer: Sealer,
    pub(crate) sites: SiteUrls,
    pub(crate) federation: Federation,
    /// PHP of the shards, such as `8.2`.
    pub(crate) php: Option<String>,
    pub(crate) roles: RoleTokens,
    pub(crate) own_token: Option<Secret>,
    pub(crate) signals: Signals,
    pub(crate) metrics: Metrics,
    /// Tenants whose intent should go to their shard now.
    pub(crate) pushes: Arc<WorkQueue<TenantUid>>,
    /// Operations that may have reached what they wait for.
    pub(crate) endings: Arc<WorkQueue<OperationId>>,
    /// Uploaded archives of sites.
    pub(crate) spool: Spool,
    /// Looks at uploaded archives at once; each reads all of one.
    pub(crate) looks: Looks,
    /// Wakes the reconciler of exports and imports.
    pub(crate) transfers: Notify,
    pub(crate) mirror: Mirror,
    pub(crate) mutations: Arc<Semaphore>,
    /// Event streams that are open.
    pub(crate) streams: Arc<Streams>,
    pub(crate) webhooks: Arc<Webhooks>,
    /// The outbox in memory.
    pub(crate) feed: Arc<Feed>,
    /// Operations that are followed.
    pub(crate) operation_feeds: OperationFeeds,
    /// Logs that are followed.
    pub(crate) log_streams: Arc<Streams>,
    /// Checkpoints of the audit log.
    pub(crate) keeper: Keeper,
    /// One look at all audit rows at a time: it reads as fast as the disk gives.
    pub(crate) verifications: Semaphore,
    /// One write of a token's last use at a time.
    pub(crate) touches: Arc<Semaphore>,
    /// Whether the last look through the registry found it damaged.
    pub(crate) is_damaged: AtomicBool,
    pub(crate) lifecycle: Lifecycle,
}

/// What a plane is made of; the rest starts empty.
pub(crate) struct PlaneParts {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) sealer: Sealer,
    pub(crate) sites: SiteUrls,
    pub(crate) federation: Federation,
    pub(crate) php: Option<String>,
    pub(crate) roles: RoleTokens,
    pub(crate) own_token: Option<Secret>,
    pub(crate) streams: StreamLimits,
    pub(crate) spool: Spool,
    pub(crate) webhooks: WebhookConfig,
    pub(crate) mirror: Mirror,
    pub(crate) keeper: Keeper,
    pub(crate) lifecycle: Lifecycle,
}

impl Plane {
    pub(crate) fn new(parts: PlaneParts) -> Self {
        let metrics = Metrics::new();
        let feed = Arc::new(Feed::new(parts.store.clone()));
        let (store, clock) = (parts.store.clone(), parts.clock.clone());
        let sealer = parts.sealer.clone();
        let webhooks = Webhooks::new(parts.webhooks, store, clock, sealer, Arc::clone(&feed));
        Self {
            operation_feeds: OperationFeeds::new(parts.store.clone()),
            store: parts.store,
            started: parts.clock.now(),
            clock: parts.clock,
            sealer: parts.sealer,
            sites: parts.sites,
            federation: parts.federation,
            php: parts.php,
            roles: parts.roles,
            own_token: parts.own_token,
            spool: parts.spool,
            looks: Looks::new(),
            transfers: Notify::new(),
            mirror: parts.mirror,
            signals: Signals::new(),
            streams: Streams::new(parts.streams, &metrics),
            log_streams: Streams::new(LOG_STREAMS, &metrics),
            webhooks: Arc::new(webhooks),
            feed,
            metrics,
            pushes: Arc::new(WorkQueue::new(PUSH_BACKOFF)),
            endings: Arc::new(WorkQueue::new(END_BACKOFF)),
            mutations: Arc::new(Semaphore::new(MUTATIONS)),
            keeper: parts.keeper,
            verifications: Semaphore::new(1),
            touches: Arc::new(Semaphore::new(1)),
            is_damaged: AtomicBool::new(false),
            lifecycle: parts.lifecycle,
        }
    }

    /// How to judge the age of what shards said.
    pub(crate) fn heard(&self) -> Heard {
        Heard { now: self.clock.now(), since: self.started }
    }
}
