//! The connections to one gateway, and the gateways by address.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use tokio::time::Instant;

use super::connect;
use super::connection::Connection;

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(5);

/// Idle connections, the one that was used last at the end.
type Idle = Vec<Box<Connection>>;

/// A gateway (or meta) and the idle connections to it.
#[derive(Debug)]
pub(crate) struct Upstream {
    endpoint: Endpoint,
    idle: Mutex<Idle>,
    /// Requests to it under way.
    pub(crate) in_flight: AtomicUsize,
}

impl Upstream {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: Mutex::default(), in_flight: AtomicUsize::new(0) }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The idle connection that was used last, if one is still good.
    pub(crate) fn take_idle(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.idle().pop()?;
            if connection.is_reusable() {
                return Some(connection);
            }
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self, timeout: Duration) -> io::Result<Box<Connection>> {
        let stream = connect::connect(&self.endpoint, timeout).await?;
        Connection::open(stream).await.map(Box::new).map_err(io::Error::other)
    }

    /// Keeps a connection for the next request, if fewer than `most` are kept.
    pub(crate) fn give_back(&self, mut connection: Box<Connection>, most: usize) {
        connection.idle_since = Instant::now();
        let mut idle = self.idle();
        if idle.len() < most {
            idle.push(connection);
        }
    }

    /// Closes what idles since before `deadline`.
    fn sweep(&self, deadline: Instant) {
        let mut idle = self.idle();
        // Taken from and put to the end, so the oldest are in front.
        let kept = idle.iter().position(|it| it.idle_since >= deadline).unwrap_or(idle.len());
        let old: Vec<_> = idle.drain(..kept).collect();
        drop(idle);
        drop(old);
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // A panic under the lock leaves a whole list: each change is one call.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All gateways by address: sites of one shard share its connections. One that no route names any
/// more goes away with its connections.
#[derive(Debug, Default)]
pub(crate) struct Upstreams(Mutex<HashMap<Box<str>, Weak<Upstream>>>);

impl Upstreams {
    /// The gateway at `address`. `None` when that is no address.
    pub(crate) fn at(&self, address: &str) -> Option<Arc<Upstream>> {
        let mut all = self.all();
        if let Some(known) = all.get(address).and_then(Weak::upgrade) {
            return Some(known);
        }
        let upstream = Arc::new(Upstream::new(address.parse().ok()?));
        all.insert(address.into(), Arc::downgrade(&upstream));
        Some(upstream)
    }

    /// Closes connections that idle for longer than `keep`, until the lifecycle drains.
    pub(crate) async fn sweep(
        self: Arc<Self>,
        also: Arc<Upstream>,
        keep: Duration,
        lifecycle: Lifecycle,
    ) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                () = lifecycle.drain.cancelled() => return,
            }
            let deadline = Instant::now().checked_sub(keep);
            let Some(deadline) = deadline else { continue };
            let known: Vec<_> = {
                let mut all = self.all();
                all.retain(|_, upstream| upstream.strong_count() > 0);
                all.values().filter_map(Weak::upgrade).collect()
            };
            for upstream in known.iter().chain([&also]) {
                upstream.sweep(deadline);
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Box<str>, Weak<Upstream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_for_an_address_while_somebody_uses_it() {
        let upstreams = Upstreams::default();
        let one = upstreams.at("unix:/a").unwrap();
        assert!(Arc::ptr_eq(&one, &upstreams.at("unix:/a").unwrap()));
        assert!(upstreams.at("gopher:").is_none());
        let weak = Arc::downgrade(&one);
        drop(one);
        assert!(weak.upgrade().is_none());
        assert!(upstreams.at("unix:/a").is_some());
    }
}
