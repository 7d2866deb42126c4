//! Webhooks: events made into deliveries, and deliveries sent.
//!
//! - A delivery is a row before it is sent, so that nothing is lost by a kill; it may be sent
//!   twice then, under the same id.
//! - One delivery of a webhook is under way at a time, in the order of the events; one that fails
//!   lets later ones pass after [`schedule::BLOCKING`] attempts.
//! - Webhooks take turns, one delivery each: a slow endpoint delays only itself.

mod fan_out;
pub(crate) mod schedule;
mod send;
pub(crate) mod sign;

use std::sync::Arc;
use std::time::Duration;

use aipress_kit::http::outgoing::Judge;
use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::Trust;
use aipress_kit::http::outgoing::any_address;
use aipress_kit::http::outgoing::public_only;
use aipress_kit::tasks;

use crate::plane::Plane;

pub(crate) use fan_out::make;

/// Deliveries under way at once, of all webhooks.
const SENDERS: usize = 64;
/// Looked this often for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// Webhooks of one look.
const DUE: u32 = 1_000;
/// Webhooks of an account, and in all, at most.
pub(crate) const PER_ACCOUNT: u64 = 20;
pub(crate) const TOTAL: u64 = 1_000;

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
    pub(crate) fn judge(&self) -> Judge {
        if self.allow_private { any_address } else { public_only }
    }

    /// The client that calls endpoints.
    pub(crate) fn client(&self) -> Outgoing {
        Outgoing::new(&self.trust, self.judge())
    }
}

/// Delivers for as long as meta runs.
pub(crate) async fn run(plane: Arc<Plane>) {
    let drain = plane.lifecycle.drain.clone();
    let sending = Arc::clone(&plane);
    let senders = Arc::clone(&plane.deliveries).run(SENDERS, drain, move |id| {
        let plane = Arc::clone(&sending);
        async move { send::turn(&plane, id).await }
    });
    let senders = tasks::spawn("webhook-senders", senders);
    let mut fan_out = fan_out::FanOut::default();
    let mut newer = plane.feed.subscribe();
    loop {
        newer.borrow_and_update();
        if let Err(error) = fan_out.round(&plane).await {
            tracing::warn!(%error, "events not made into deliveries; trying again");
        }
        match plane.store.deliveries_due(plane.clock.now(), DUE).await {
            Ok(due) => due.into_iter().for_each(|id| plane.deliveries.add(id)),
            Err(error) => tracing::warn!(%error, "deliveries not looked for; trying again"),
        }
        tokio::select! {
            () = plane.lifecycle.drain.cancelled() => break,
            _ = newer.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    let _ = senders.await;
}
