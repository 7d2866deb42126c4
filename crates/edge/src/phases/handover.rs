//! Phase `handover`: requests for a site that the edge answered by itself, told to the site's
//! gateway, which keeps the site's log.
//!
//! No request waits for it. Each tenant has a bounded number of lines that wait, and loses its own
//! oldest; how many is said with the next one. While a gateway can't be reached its lines wait.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::internal::EdgeLine;
use aipress_api::internal::EdgeLines;
use aipress_api::internal::logs::EDGE_LINES_HEADER;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_types::TenantUid;
use bytes::Bytes;
use futures_util::future;
use http::Request;

/// Lines of one tenant that wait.
const PER_TENANT: usize = 64;
/// Lines of all that wait; a tenant that has none waiting gets no place beyond it.
const ALL: usize = 16_384;
/// Between two deliveries.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a gateway may take for one.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Lines in one delivery.
const BATCH: usize = 512;

/// What waits to be told.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_tenant: HashMap<TenantUid, Lines>,
    count: usize,
}

#[derive(Debug)]
struct Lines {
    gateway: Endpoint,
    lines: VecDeque<EdgeLine>,
    dropped: u64,
}

impl Handover {
    /// Takes a line for the gateway at `gateway`.
    pub(crate) fn push(&self, gateway: &Endpoint, line: EdgeLine) {
        let mut waiting = self.waiting();
        let is_full = waiting.count >= ALL;
        let lines = waiting.by_tenant.entry(line.tenant).or_insert_with(|| Lines {
            gateway: gateway.clone(),
            lines: VecDeque::new(),
            dropped: 0,
        });
        if is_full && lines.lines.is_empty() {
            lines.dropped += 1;
            return;
        }
        lines.gateway.clone_from(gateway);
        lines.lines.push_back(line);
        if lines.lines.len() > PER_TENANT || is_full {
            lines.lines.pop_front();
            lines.dropped += 1;
        } else {
            waiting.count += 1;
        }
    }

    /// Delivers until the lifecycle drains, and then once more.
    pub(crate) async fn run(self: Arc<Self>, lifecycle: Lifecycle) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = lifecycle.drain.cancelled() => break,
            }
            self.deliver().await;
        }
        self.deliver().await;
    }

    async fn deliver(&self) {
        let taken = self.take();
        let deliveries = taken.into_iter().map(|(gateway, lines)| async move {
            for part in lines.chunks(BATCH) {
                if let Err(error) = tell(&gateway, part).await {
                    tracing::debug!(%gateway, error, "lines wait for a gateway");
                    part.iter().cloned().for_each(|line| self.push(&gateway, line));
                }
            }
        });
        future::join_all(deliveries).await;
    }

    /// All that wait, by gateway. How many lines are missing is said by the first one there is.
    fn take(&self) -> HashMap<Endpoint, Vec<EdgeLine>> {
        let mut waiting = self.waiting();
        waiting.count = 0;
        let mut taken: HashMap<Endpoint, Vec<EdgeLine>> = HashMap::new();
        for (_, mut lines) in waiting.by_tenant.drain() {
            if let Some(first) = lines.lines.front_mut() {
                first.dropped += lines.dropped;
            }
            taken.entry(lines.gateway).or_default().extend(lines.lines);
        }
        taken
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tell(gateway: &Endpoint, lines: &[EdgeLine]) -> Result<(), String> {
    let body = serde_json::to_vec(&EdgeLines { lines: lines.to_vec() })
        .map_err(|error| error.to_string())?;
    let request = Request::post("/")
        .header(EDGE_LINES_HEADER, "1")
        .body(Bytes::from(body))
        .map_err(|error| error.to_string())?;
    let answer = Client::new(gateway.clone(), TIMEOUT).call(request).await;
    let status = answer.map_err(|error| error.to_string())?.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::LogRequest;
    use aipress_api::Severity;

    fn line(tenant: u128, number: u64) -> EdgeLine {
        EdgeLine {
            tenant: format!("00000000-0000-4000-8000-{tenant:012}").parse().unwrap(),
            severity: Severity::Error,
            message: number.to_string(),
            request_id: String::new(),
            dropped: 0,
            request: LogRequest::default(),
        }
    }

    #[test]
    fn a_site_that_is_asked_for_a_lot_loses_its_own_oldest_lines() {
        let handover = Handover::default();
        let gateway: Endpoint = "unix:/g".parse().unwrap();
        handover.push(&gateway, line(1, 0));
        for number in 0..1_000 {
            handover.push(&gateway, line(2, number));
        }
        let taken = handover.take().remove(&gateway).unwrap();
        let of = |tenant: u128| {
            let of = line(tenant, 0).tenant;
            taken.iter().filter(move |line| line.tenant == of).collect::<Vec<_>>()
        };
        assert_eq!((of(1).len(), of(2).len()), (1, PER_TENANT));
        assert_eq!(of(2).last().unwrap().message, "999");
        assert_eq!(of(2)[0].dropped, 1_000 - PER_TENANT as u64);
        assert!(handover.take().is_empty());
    }
}
