//! Archives that the mirror gets by itself: one job for each, whoever waits for it, in tasks of
//! meta's own. A stranger's slow address holds up nobody but who wants it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_kit::http::outgoing;
use aipress_kit::http::outgoing::Bounds;
use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::OutgoingError;
use aipress_kit::tasks;
use aipress_types::AccountId;
use aipress_types::PackageKind;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ARCHIVE_MAX;
use crate::incoming::Incoming;
use crate::incoming::IncomingError;
use crate::incoming::Received;

/// What one download may cost.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(10),
    total: Duration::from_secs(90),
    body_max: ARCHIVE_MAX,
    redirects: 3,
};
/// Downloads at once; more wait.
const AT_ONCE: usize = 8;
/// Jobs of one account at once; one more is refused.
const OF_ACCOUNT: usize = 4;
/// Jobs at once, waiting ones included; one more is refused.
const JOBS_MAX: usize = 1_000;
/// A failure is the answer for so long, so that nobody is asked again and again.
const FAILURE_KEPT: Duration = Duration::from_secs(15);

/// What is fetched, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Job {
    /// From the directory, for everybody.
    Directory {
        /// Plugin or theme.
        kind: PackageKind,
        /// Its name there.
        name: String,
        /// The newest when left out.
        version: Option<String>,
    },
    /// From an address, for one account, or everybody.
    Url {
        /// The address.
        url: String,
        /// What must be there.
        sha256: String,
        /// Whose it will be; `None` for everybody.
        account: Option<AccountId>,
    },
}

/// Why a job brought nothing; for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What happened.
    pub detail: String,
    /// Whether the very same may work later.
    pub later: bool,
}

/// The SHA-256 of what is in the mirror now, or why it is not.
pub type Outcome = Result<String, Failed>;

#[derive(Debug)]
struct Running {
    account: AccountId,
    outcome: watch::Receiver<Option<(Outcome, Instant)>>,
}

/// The jobs.
#[derive(Debug)]
pub struct Fetches {
    outside: Outgoing,
    jobs: Mutex<HashMap<Job, Running>>,
    turns: Arc<Semaphore>,
}

impl Fetches {
    pub(crate) fn new(outside: Outgoing) -> Self {
        Self { outside, jobs: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The client for addresses that customers chose.
    pub fn outside(&self) -> &Outgoing {
        &self.outside
    }

    /// The outcome of a job that is under way, or is begun now by `work`, if it comes within
    /// `patience`.
    pub async fn outcome<F>(
        &self,
        job: &Job,
        account: AccountId,
        patience: Duration,
        work: impl FnOnce() -> F,
    ) -> Option<Outcome>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut outcome = match self.enter(job, account, work) {
            Ok(outcome) => outcome,
            Err(refused) => return Some(Err(refused)),
        };
        let ended = outcome.wait_for(Option::is_some);
        match tokio::time::timeout(patience, ended).await {
            Ok(Ok(ended)) => ended.as_ref().map(|(outcome, _)| outcome.clone()),
            // The job's task ended early: its panic is in the log.
            Ok(Err(_)) => Some(Err(Failed { detail: "fetching failed".to_owned(), later: true })),
            Err(_) => None,
        }
    }

    fn enter<F>(
        &self,
        job: &Job,
        account: AccountId,
        work: impl FnOnce() -> F,
    ) -> Result<watch::Receiver<Option<(Outcome, Instant)>>, Failed>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // What ended well is in the mirror; what failed is remembered for a while.
        jobs.retain(|_, running| match &*running.outcome.borrow() {
            Some((Err(_), ended)) => ended.elapsed() < FAILURE_KEPT,
            Some((Ok(_), _)) => false,
            None => running.outcome.has_changed().is_ok(),
        });
        if let Some(running) = jobs.get(job) {
            return Ok(running.outcome.clone());
        }
        let busy = |detail: String| Err(Failed { detail, later: true });
        if jobs.len() >= JOBS_MAX {
            return busy("too much is being fetched at the moment: try again".to_owned());
        }
        let unfinished =
            |running: &&Running| running.account == account && running.outcome.borrow().is_none();
        if jobs.values().filter(unfinished).count() >= OF_ACCOUNT {
            return busy(format!(
                "{OF_ACCOUNT} archives are being fetched for this account already: try again"
            ));
        }
        let (sender, outcome) = watch::channel(None);
        jobs.insert(job.clone(), Running { account, outcome: outcome.clone() });
        let (turns, work) = (Arc::clone(&self.turns), work());
        tasks::spawn("package-fetch", async move {
            let Ok(_turn) = turns.acquire().await else { return };
            let ended = work.await;
            sender.send_replace(Some((ended, Instant::now())));
        });
        Ok(outcome)
    }
}

/// Why bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error(transparent)]
    /// It can't be asked, or broke off.
    Outgoing(#[from] OutgoingError),
    #[error("it answered with status {0}")]
    /// It answered something else than 200.
    Status(u16),
    #[error(transparent)]
    /// It is too large, or the disk does not take it.
    Incoming(#[from] IncomingError),
    #[error("write an archive: {0}")]
    /// The disk does not take it.
    Io(#[from] std::io::Error),
}

impl DownloadError {
    /// Whether the very same may work later.
    pub fn may_work_later(&self) -> bool {
        match self {
            Self::Outgoing(error) => error.is_retryable(),
            Self::Status(status) => *status >= 500 || *status == 429,
            Self::Incoming(IncomingError::TooLarge) => false,
            Self::Incoming(IncomingError::Io(_)) | Self::Io(_) => true,
        }
    }
}

/// Downloads into `dir`.
pub async fn download(
    http: &Outgoing,
    url: &str,
    dir: &std::path::Path,
) -> Result<Received, DownloadError> {
    let answer = http.open(outgoing::get(url)?, &BOUNDS).await?;
    if answer.status() != http::StatusCode::OK {
        return Err(DownloadError::Status(answer.status().as_u16()));
    }
    let mut incoming = Incoming::begin(dir).await?;
    let mut body = answer.into_body();
    while let Some(chunk) = body.chunk().await? {
        incoming.write(&chunk).await?;
    }
    Ok(incoming.end().await?)
}
