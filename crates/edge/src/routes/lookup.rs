//! Asks meta for a host that the table does not have: a site that was made a moment ago.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::internal::RouteState;
use tokio::sync::watch;
use tokio::time::Instant;

use super::asked::Asked;
use super::asked::Turn;
use super::meta::Meta;
use super::table::Route;
use super::table::Table;
use crate::config::Limits;
use crate::config::Timeouts;
use crate::metrics::Metrics;

/// What is known of a host after asking.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It is there.
    Found(Arc<Route>),
    /// Meta says that there is none.
    Nowhere,
    /// Meta could not be asked, or was too slow.
    Unasked,
}

pub(crate) struct Lookup {
    meta: Arc<Meta>,
    table: Arc<Table>,
    asked: Mutex<Asked>,
    question: Duration,
    unknown: Duration,
    metrics: Metrics,
}

impl Lookup {
    pub(crate) fn new(
        meta: Arc<Meta>,
        table: Arc<Table>,
        (limits, timeouts): (&Limits, &Timeouts),
        metrics: Metrics,
    ) -> Self {
        let asked =
            Asked::new(limits.remembered_unknown, limits.questions_per_second, Instant::now());
        Self {
            meta,
            table,
            asked: Mutex::new(asked),
            question: timeouts.question,
            unknown: timeouts.unknown,
            metrics,
        }
    }

    /// Where `host` is. Takes no longer than a question may.
    pub(crate) async fn find(self: &Arc<Self>, host: &str) -> Answer {
        let turn = self.asked().turn(host, Instant::now());
        let mut answer = match turn {
            Turn::Known(answer) => return answer,
            Turn::Refused => {
                self.metrics.0.questions_refused.one();
                return Answer::Unasked;
            }
            Turn::Wait(answer) => answer,
            Turn::Ask(tell, answer) => {
                // In a task of its own: others wait for it even when this visitor leaves.
                let lookup = Arc::clone(self);
                let host = host.to_owned();
                aipress_kit::tasks::spawn("edge-question", async move {
                    lookup.ask(&host, &tell).await;
                });
                answer
            }
        };
        match tokio::time::timeout(self.question, answer.wait_for(Option::is_some)).await {
            Ok(Ok(known)) => known.clone().unwrap_or(Answer::Unasked),
            Ok(Err(_)) | Err(_) => Answer::Unasked,
        }
    }

    async fn ask(&self, host: &str, tell: &watch::Sender<Option<Answer>>) {
        self.metrics.0.questions.one();
        let asked_at = self.table.applied();
        let answer = match self.meta.route(host).await {
            // Meta answers for the host that it was asked for, and a tombstone is no route.
            Ok(Some(entry)) if entry.host == host && entry.state != RouteState::Gone => {
                let route = self.table.learn(entry, asked_at);
                self.metrics.0.routes.set(self.table.size() as u64);
                Answer::Found(route)
            }
            Ok(_) => Answer::Nowhere,
            Err(error) => {
                tracing::debug!(host, %error, "meta does not say where an unknown host is");
                Answer::Unasked
            }
        };
        match &answer {
            // The table has it, or its log moved on and is asked again.
            Answer::Found(_) => self.asked().forget(host),
            _ => self.asked().remember(host, answer.clone(), Instant::now() + self.unknown),
        }
        let _ = tell.send(Some(answer));
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // A panic under the lock leaves a whole map: each change is one call.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
