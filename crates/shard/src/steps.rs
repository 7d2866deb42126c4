//! The steps of one convergence as they happen, for whoever waits.

use std::future::Future;
use std::sync::Mutex;
use std::sync::PoisonError;

use aipress_kit::faults;
use aipress_types::ObservedPhase;
use aipress_types::ObservedStep;
use aipress_types::StepState;
use aipress_types::TenantObserved;
use tokio::time::Instant;

use crate::journal::JournalError;
use crate::plane::Plane;
use crate::tenants::SlotError;
use crate::tenants::Tenant;

/// Why a step failed, and whether trying again may help.
#[derive(Debug)]
pub(crate) struct StepError {
    pub(crate) message: String,
    pub(crate) retryable: bool,
}

impl From<aipress_drivers::DriverError> for StepError {
    fn from(error: aipress_drivers::DriverError) -> Self {
        let mut message = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            message = format!("{message}: {source}");
        }
        Self { message, retryable: error.is_retryable() }
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        Self { message: error.to_string(), retryable: true }
    }
}

impl From<SlotError> for StepError {
    fn from(error: SlotError) -> Self {
        Self { message: error.to_string(), retryable: true }
    }
}

/// Records steps into the observation of one tenant.
pub(crate) struct Steps<'a> {
    plane: &'a Plane,
    observed: Mutex<TenantObserved>,
    /// What was observed of a tenant that is only looked at again: no news unless it fails.
    settled: Option<TenantObserved>,
}

impl<'a> Steps<'a> {
    /// Starts over: `names` are to come. Of a tenant that has converged nothing is told on the
    /// way, and nothing at the end when it is as it was.
    pub(crate) fn begin(plane: &'a Plane, tenant: Tenant, names: &[&str]) -> Self {
        let settled = tenant.converged().then(|| tenant.observed.clone());
        let mut observed = tenant.observed;
        observed.steps = names.iter().map(|name| pending(name)).collect();
        observed.phase = ObservedPhase::Converging;
        observed.serving = false;
        Self { plane, observed: Mutex::new(observed), settled }
    }

    /// Runs one step and records how it went.
    pub(crate) async fn run<T>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, StepError> {
        self.point(name, "before");
        self.set(name, |step| step.state = StepState::Running);
        let begun = Instant::now();
        let result = work.await;
        self.point(name, "after");
        self.set(name, |step| {
            step.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            match &result {
                Ok(_) => {
                    step.state = StepState::Succeeded;
                    step.message = None;
                }
                Err(error) => {
                    step.state = StepState::Failed;
                    step.message = Some(error.message.clone());
                }
            }
        });
        result
    }

    /// A look at what is settled is no step of a change, and so no point of one.
    fn point(&self, name: &str, side: &str) {
        if self.settled.is_none() {
            faults::point(&format!("shard.{name}.{side}"));
        }
    }

    /// Tells how far a long step is, in bytes; `total` is 0 when nobody knows, and may be too low.
    pub(crate) fn progress(&self, name: &str, done: u64, total: u64) {
        let mb = |bytes: u64| bytes / 1_000_000;
        let text = match total {
            0 => format!("{} MB", mb(done)),
            total => format!("{} of {} MB", mb(done), mb(total.max(done))),
        };
        self.set(name, |step| {
            if step.state == StepState::Running {
                step.message = Some(text);
            }
        });
    }

    /// The site is up from here on, whatever becomes of the steps that follow.
    pub(crate) fn serving(&self) {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner).serving = true;
    }

    /// What a person should know of a step although it succeeds.
    pub(crate) fn note(&self, name: &str, text: &str) {
        self.set(name, |step| step.message = Some(text.to_owned()));
    }

    /// Ends the convergence with its outcome.
    pub(crate) fn end(self, outcome: &Result<(), StepError>) {
        let current = self.plane.tenants.fetch(self.observed_uid());
        if let (Some(settled), Ok(())) = (&self.settled, outcome) {
            self.plane.tenants.observe(settled.clone());
            return;
        }
        let mut observed = self.observed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = current {
            observed.slot = tenant.entry.slot;
            observed.wordpress_version.clone_from(&tenant.entry.core_version);
            let held = &tenant.entry.packages.held;
            observed.limits.clone_from(&tenant.observed.limits);
            observed.rolled_back = held.iter().map(|held| held.rolled_back.clone()).collect();
        }
        (observed.phase, observed.message) = match outcome {
            Ok(()) => (ObservedPhase::Converged, None),
            Err(error) if error.retryable => {
                (ObservedPhase::Converging, Some(error.message.clone()))
            }
            Err(error) => (ObservedPhase::Failed, Some(error.message.clone())),
        };
        self.plane.tenants.observe(observed);
    }

    fn observed_uid(&self) -> aipress_types::TenantUid {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner).uid
    }

    fn set(&self, name: &str, change: impl FnOnce(&mut ObservedStep)) {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        match observed.steps.iter_mut().find(|step| step.name == name) {
            Some(step) => change(step),
            // One that is not always there, such as those of a move to another core.
            None => {
                let mut step = pending(name);
                change(&mut step);
                observed.steps.push(step);
            }
        }
        if self.settled.is_some() {
            return;
        }
        let copy = observed.clone();
        drop(observed);
        self.plane.tenants.observe(copy);
    }
}

fn pending(name: &str) -> ObservedStep {
    ObservedStep { name: name.to_owned(), state: StepState::Pending, duration_ms: 0, message: None }
}
