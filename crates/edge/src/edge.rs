//! What all requests of one edge share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use aipress_kit::lifecycle::Lifecycle;
use tokio::sync::Semaphore;

use crate::config::Limits;
use crate::config::Scheme;
use crate::config::Timeouts;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::phases::handover::Handover;
use crate::phases::log::AccessLog;
use crate::request_id::RequestIds;
use crate::routes::lookup::Lookup;
use crate::routes::table::Table;
use crate::upstream::Upstream;

pub(crate) struct Edge {
    pub(crate) table: Arc<Table>,
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) console_host: String,
    pub(crate) console: Arc<Upstream>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) scheme: Scheme,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) request_ids: RequestIds,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) tunnels: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    pub(crate) access_log: AccessLog,
    pub(crate) handover: Arc<Handover>,
    pub(crate) lifecycle: Lifecycle,
}
