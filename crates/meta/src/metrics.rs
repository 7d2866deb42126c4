//! What Prometheus reads (OpenMetrics text). Names end in their unit; a tenant is never a label.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;

use aipress_api::internal::ShardTallies;
use aipress_types::ShardId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Content type of the text ([`Metrics::render`]).
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of request times, in seconds.
const REQUEST_SECONDS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0];
/// Bounds of operation times, in seconds.
const OPERATION_SECONDS: [f64; 9] = [0.05, 0.1, 0.15, 0.3, 0.5, 1.0, 3.0, 10.0, 60.0];

/// A request by its route, not its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) status: u32,
}

/// An operation that ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OperationLabels {
    pub(crate) kind: String,
    pub(crate) outcome: String,
}

/// A single word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WordLabels {
    pub(crate) state: String,
}

type Times = Family<OperationLabels, Histogram, fn() -> Histogram>;

/// The counters of one meta.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) request_seconds: Histogram,
    pub(crate) operations: Family<OperationLabels, Counter>,
    pub(crate) operation_seconds: Times,
    pub(crate) pushes: Family<WordLabels, Counter>,
    pub(crate) reports: Counter,
    pub(crate) tenants: Family<WordLabels, Gauge>,
    pub(crate) shards: Family<WordLabels, Gauge>,
    pub(crate) streams: Gauge<i64, std::sync::atomic::AtomicI64>,
    cron_wakes: Counter,
    cron_failures: Counter,
    cron_running: Gauge,
    mails: Family<WordLabels, Counter>,
    mails_waiting: Gauge,
    /// What each shard has counted, as it said last.
    tallies: Mutex<BTreeMap<ShardId, ShardTallies>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let request_seconds = Histogram::new(REQUEST_SECONDS);
        let operations = Family::<OperationLabels, Counter>::default();
        let operation_seconds: Times =
            Family::new_with_constructor(|| Histogram::new(OPERATION_SECONDS));
        let pushes = Family::<WordLabels, Counter>::default();
        let reports = Counter::<u64, AtomicU64>::default();
        let tenants = Family::<WordLabels, Gauge>::default();
        let shards = Family::<WordLabels, Gauge>::default();
        let streams = Gauge::default();
        let (cron_wakes, cron_failures) = (Counter::default(), Counter::default());
        let (cron_running, mails_waiting) = (Gauge::default(), Gauge::default());
        let mails = Family::<WordLabels, Counter>::default();
        let mut registry = Registry::with_prefix("aipress_meta");
        registry.register("requests", "Requests by route and status", requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time to answer a request",
            request_seconds.clone(),
        );
        registry.register("operations", "Operations that ended", operations.clone());
        registry.register(
            "operation_duration_seconds",
            "From the request to the end of its operation",
            operation_seconds.clone(),
        );
        registry.register("pushes", "Intents pushed to shards, by outcome", pushes.clone());
        registry.register("reports", "Reports of shards taken", reports.clone());
        registry.register("tenants", "Tenants by state", tenants.clone());
        registry.register("shards", "Shards by health", shards.clone());
        registry.register("event_streams", "Event streams that are open", streams.clone());
        registry.register("cron_wakes", "Sites woken for scheduled events", cron_wakes.clone());
        registry.register("cron_failures", "Runs that failed", cron_failures.clone());
        registry.register("cron_running", "Runs that go on", cron_running.clone());
        registry.register("mails", "Messages of sites, by what became of them", mails.clone());
        registry.register("mails_waiting", "Messages that wait to be sent", mails_waiting.clone());
        Self {
            registry,
            requests,
            request_seconds,
            operations,
            operation_seconds,
            pushes,
            reports,
            tenants,
            shards,
            streams,
            cron_wakes,
            cron_failures,
            cron_running,
            mails,
            mails_waiting,
            tallies: Mutex::default(),
        }
    }

    /// Takes what a shard has counted: what is more than it said last, or all of it once the shard
    /// has begun anew. The first word of a shard counts for nothing: it may be of before this meta.
    pub(crate) fn shard_counted(&self, shard: ShardId, now: ShardTallies) {
        let mut all = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = all.insert(shard, now) {
            let more = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
            self.cron_wakes.inc_by(more(now.cron.wakes, before.cron.wakes));
            self.cron_failures.inc_by(more(now.cron.failures, before.cron.failures));
            for (state, now, before) in [
                ("taken", now.mail.taken, before.mail.taken),
                ("refused", now.mail.refused, before.mail.refused),
                ("sent", now.mail.sent, before.mail.sent),
                ("bounced", now.mail.bounced, before.mail.bounced),
                ("delayed", now.mail.delayed, before.mail.delayed),
            ] {
                let labels = WordLabels { state: state.to_owned() };
                self.mails.get_or_create(&labels).inc_by(more(now, before));
            }
        }
        let sum = |of: fn(&ShardTallies) -> u64| {
            i64::try_from(all.values().map(of).sum::<u64>()).unwrap_or(i64::MAX)
        };
        self.cron_running.set(sum(|tallies| tallies.cron.running));
        self.mails_waiting.set(sum(|tallies| tallies.mail.waiting));
    }

    /// All of them as text.
    ///
    /// # Errors
    /// Never in practice: writing into a string does not fail.
    pub(crate) fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_on_its_page() {
        let page = include_str!("../../../docs/metrics.md");
        let metrics = Metrics::new();
        // A family without a member is not told.
        let (word, status) = (|| "x".to_owned(), 200);
        let request = RequestLabels { method: word(), route: word(), status };
        metrics.requests.get_or_create(&request).inc();
        let operation = OperationLabels { kind: word(), outcome: word() };
        metrics.operations.get_or_create(&operation).inc();
        metrics.operation_seconds.get_or_create(&operation).observe(1.0);
        metrics.pushes.get_or_create(&WordLabels { state: word() }).inc();
        for gauge in [&metrics.tenants, &metrics.shards] {
            gauge.get_or_create(&WordLabels { state: word() }).set(1);
        }
        let shard = ShardId::from_number(1).unwrap();
        for _ in 0..2 {
            metrics.shard_counted(shard, ShardTallies::default());
        }
        let text = metrics.render().unwrap();
        let mut known = 0;
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            let end = if kind == "counter" { "_total" } else { "" };
            let row = format!("| `{name}{end}` | {kind} |");
            assert!(page.contains(&row), "docs/metrics.md: no row `{row}`");
            known += 1;
        }
        assert_eq!(page.matches("| `aipress_").count(), known, "a row of what is not there");
    }

    #[test]
    fn what_a_shard_counts_is_counted_once() {
        let metrics = Metrics::new();
        let counted = |shard: u32, wakes: u64, waiting: u64| {
            let mut tallies = ShardTallies::default();
            (tallies.cron.wakes, tallies.mail.waiting) = (wakes, waiting);
            metrics.shard_counted(ShardId::from_number(shard).unwrap(), tallies);
            (metrics.cron_wakes.get(), metrics.mails_waiting.get())
        };
        assert_eq!(counted(1, 7, 1), (0, 1), "of before this meta");
        assert_eq!(counted(1, 10, 1), (3, 1));
        assert_eq!(counted(2, 100, 4), (3, 5), "another shard");
        assert_eq!(counted(1, 10, 0), (3, 4));
        assert_eq!(counted(1, 2, 0), (5, 4), "it has begun anew");
    }
}
