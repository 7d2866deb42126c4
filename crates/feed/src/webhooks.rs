//! Webhooks: events made into deliveries, and deliveries sent.
//!
//! - A delivery is a row before it is sent, so that nothing is lost by a kill; it may be sent
//!   twice then, under the same id.
//! - One delivery of a webhook is under way at a time, in the order of the events; one that fails
//!   lets later ones pass after [`schedule::BLOCKING`] attempts.
//! - Webhooks take turns, one delivery each: a slow endpoint delays only itself.

mod fan_out;
pub mod schedule;
mod send;
pub mod sign;

use std::sync::Arc;
use std::time::Duration;

use aipress_flow::Backoff;
use aipress_flow::WorkQueue;
use aipress_kit::clock::Clock;
use aipress_kit::http::outgoing;
use aipress_kit::http::outgoing::Judge;
use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::Trust;
use aipress_kit::http::outgoing::any_address;
use aipress_kit::http::outgoing::public_only;
use aipress_kit::seal::Sealer;
use aipress_kit::tasks;
use aipress_store::Store;
use aipress_types::WebhookId;
use tokio_util::sync::CancellationToken;

use crate::ring::Feed;

pub use fan_out::make;

/// Deliveries under way at once, of all webhooks.
const SENDERS: usize = 64;
/// Looked this often for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// Webhooks of one look.
const DUE: u32 = 1_000;
/// What came of an attempt and could not be written down is tried again after this.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), max: Duration::from_secs(5) };
/// Longest address, in bytes.
const URL_MAX: usize = 2_048;
/// Webhooks of an account at most.
pub const PER_ACCOUNT: u64 = 20;
/// Webhooks in all at most.
pub const TOTAL: u64 = 1_000;

/// How webhooks are called.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Whether private addresses and plain `http:` are allowed: for a platform whose customers
    /// are all its operator's own, and for tests.
    pub allow_private: bool,
    /// Which authorities vouch for endpoints.
    pub trust: Trust,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self { allow_private: false, trust: Trust::System }
    }
}

impl WebhookConfig {
    /// Which addresses may be connected to.
    fn judge(&self) -> Judge {
        if self.allow_private { any_address } else { public_only }
    }

    /// Whether events may be sent there, as far as that can be said before the name is resolved.
    ///
    /// # Errors
    /// Why not, for who gave the address.
    pub fn check_url(&self, url: &str) -> Result<(), String> {
        if url.len() > URL_MAX {
            return Err(format!("at most {URL_MAX} bytes"));
        }
        let request = outgoing::get(url).map_err(|error| error.to_string())?;
        if request.uri().scheme_str() != Some("https") && !self.allow_private {
            return Err("an `https:` address: events must not be read on their way".to_owned());
        }
        let host = request.uri().host().unwrap_or("").trim_matches(['[', ']']);
        if let Ok(address) = host.parse()
            && let Err(reason) = self.judge()(address)
        {
            return Err(format!("{host}, {reason}"));
        }
        Ok(())
    }
}

/// The webhooks of one meta.
#[derive(Debug)]
pub struct Webhooks {
    /// How they are called.
    pub config: WebhookConfig,
    store: Store,
    clock: Clock,
    sealer: Sealer,
    feed: Arc<Feed>,
    outgoing: Outgoing,
    /// Those that may have something due.
    due: Arc<WorkQueue<WebhookId>>,
}

impl Webhooks {
    /// Nothing is sent before [`Webhooks::run`].
    pub fn new(
        config: WebhookConfig,
        store: Store,
        clock: Clock,
        sealer: Sealer,
        feed: Arc<Feed>,
    ) -> Self {
        let outgoing = Outgoing::new(&config.trust, config.judge());
        Self {
            config,
            store,
            clock,
            sealer,
            feed,
            outgoing,
            due: Arc::new(WorkQueue::new(BACKOFF)),
        }
    }

    /// Something of this webhook may be due now.
    pub fn wake(&self, id: WebhookId) {
        self.due.add(id);
    }

    /// Delivers until `drain`.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) {
        let sending = Arc::clone(&self);
        let senders = Arc::clone(&self.due).run(SENDERS, drain.clone(), move |id| {
            let webhooks = Arc::clone(&sending);
            async move { send::turn(&webhooks, id).await }
        });
        let senders = tasks::spawn("webhook-senders", senders);
        let mut fan_out = fan_out::FanOut::default();
        let mut newer = self.feed.subscribe();
        loop {
            newer.borrow_and_update();
            if let Err(error) = fan_out.round(&self).await {
                tracing::warn!(%error, "events not made into deliveries; trying again");
            }
            match self.store.deliveries_due(self.clock.now(), DUE).await {
                Ok(due) => due.into_iter().for_each(|id| self.due.add(id)),
                Err(error) => tracing::warn!(%error, "deliveries not looked for; trying again"),
            }
            tokio::select! {
                () = drain.cancelled() => break,
                _ = newer.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        let _ = senders.await;
    }
}
