//! How many requests of a site may be in PHP, and how many may wait for that: a fair queue with a
//! bound and a deadline, in front of the connection to the pool.
//!
//! php-fpm has no time-out for its accept queue, and a site that fills it makes every visitor wait
//! for nothing; so the bound is here. The limit may change while requests are running.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// Why a request did not get a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// As many requests as may wait are waiting.
    #[error("the queue for a worker is full")]
    QueueFull,
    /// No worker became free in time.
    #[error("no worker became free in time")]
    TimedOut,
}

/// The limit of one site, or of all of them together.
#[derive(Debug)]
pub struct Admission {
    semaphore: Arc<Semaphore>,
    limit: AtomicUsize,
    /// Permits that are to vanish when they come back, after the limit was lowered.
    debt: AtomicUsize,
    waiting: AtomicUsize,
    queue_len: usize,
}

/// The right to one worker, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    admission: Arc<Admission>,
}

/// Takes one place in the queue for as long as it lives, so that a client who leaves frees it.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// A limit of `limit` at a time (at least one), with at most `queue_len` waiting.
    pub fn new(limit: usize, queue_len: usize) -> Arc<Self> {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            semaphore: Arc::new(Semaphore::new(limit)),
            limit: AtomicUsize::new(limit),
            debt: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue_len,
        })
    }

    /// Changes the limit (to at least one). Running requests go on; after a lowering, those that
    /// end make no room until the new limit is reached. Call from one thread at a time.
    pub fn set_limit(&self, limit: usize) {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let before = self.limit.swap(limit, Ordering::Relaxed);
        if limit > before {
            let mut more = limit - before;
            while more > 0 && self.forgive() {
                more -= 1;
            }
            self.semaphore.add_permits(more);
        } else {
            let fewer = before - limit;
            let forgotten = self.semaphore.forget_permits(fewer);
            self.debt.fetch_add(fewer - forgotten, Ordering::Relaxed);
        }
    }

    /// Waits for a worker, first come, first served.
    pub async fn acquire(self: &Arc<Self>, wait: Duration) -> Result<Permit, AdmissionError> {
        if let Some(permit) = self.try_acquire() {
            return Ok(permit);
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Waiting(&self.waiting);
        if waiting >= self.queue_len {
            return Err(AdmissionError::QueueFull);
        }
        let deadline = Instant::now() + wait;
        match timeout_at(deadline, Arc::clone(&self.semaphore).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(self.permit(permit)),
            // The semaphore is never closed: the second case is a time-out in other words.
            Err(_) | Ok(Err(_)) => Err(AdmissionError::TimedOut),
        }
    }

    /// A worker, if one is free now and nobody waits for it.
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        Arc::clone(&self.semaphore).try_acquire_owned().ok().map(|permit| self.permit(permit))
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many requests hold a worker.
    pub fn running(&self) -> usize {
        (self.limit.load(Ordering::Relaxed) + self.debt.load(Ordering::Relaxed))
            .saturating_sub(self.semaphore.available_permits())
    }

    fn permit(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Permit {
        Permit { permit: Some(permit), admission: Arc::clone(self) }
    }

    /// Pays one permit of debt back, if there is debt.
    fn forgive(&self) -> bool {
        self.debt
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |debt| debt.checked_sub(1))
            .is_ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take()
            && self.admission.forgive()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn bounds_running_and_waiting() {
        let admission = Admission::new(1, 1);
        let first = admission.acquire(SOON).await.unwrap();
        let second = admission.acquire(SOON);
        tokio::pin!(second);
        tokio::select! {
            biased;
            _ = second.as_mut() => panic!("there is no worker to have"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(admission.acquire(SOON).await.unwrap_err(), AdmissionError::QueueFull);
        drop(first);
        drop(second.await.unwrap());
        assert_eq!(admission.running(), 0);
    }

    #[tokio::test]
    async fn gives_up_at_the_deadline_and_frees_its_place() {
        let admission = Admission::new(1, 1);
        let _first = admission.acquire(SOON).await.unwrap();
        assert_eq!(admission.acquire(SOON).await.unwrap_err(), AdmissionError::TimedOut);
        assert_eq!(admission.waiting(), 0);
    }

    #[tokio::test]
    async fn a_lowered_limit_takes_effect_as_requests_end() {
        let admission = Admission::new(3, 10);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(admission.acquire(SOON).await.unwrap());
        }
        admission.set_limit(1);
        assert_eq!(admission.running(), 3);
        held.truncate(1);
        assert_eq!(admission.acquire(SOON).await.unwrap_err(), AdmissionError::TimedOut);
        held.clear();
        let one = admission.acquire(SOON).await.unwrap();
        assert_eq!(admission.acquire(SOON).await.unwrap_err(), AdmissionError::TimedOut);
        admission.set_limit(2);
        let _two = admission.acquire(SOON).await.unwrap();
        drop(one);
        assert_eq!(admission.running(), 1);
    }
}
