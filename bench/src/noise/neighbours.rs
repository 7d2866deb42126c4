//! The neighbours: all other sites of the shard, asked in turn at a constant, gentle rate, a page
//! that PHP makes and a file that it does not.
//!
//! An open loop: a latency counts from when its request was due. An answer that is wrong or never
//! comes is no error here, but counted, and as slow as an answer can be.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;

use crate::client::Connection;
use crate::client::Target;

/// Latency of an answer that was wrong, in ms: no less than that of one that never came.
const WRONG_MS: f64 = 60_000.0;
/// Requests under way at most; beyond, nobody answers any more.
const UNDER_WAY: usize = 512;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The home page, which PHP makes anew each time.
    Page,
    /// A file of WordPress, which the gateway sends.
    File,
}

/// What the neighbours had.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    /// Latencies in ms.
    pub(super) page: Vec<f64>,
    pub(super) file: Vec<f64>,
    pub(super) wrong: usize,
    /// The first wrong answer.
    pub(super) complaint: Option<String>,
}

impl Answers {
    /// Takes in those of another time.
    pub(super) fn add(&mut self, more: Self) {
        self.page.extend(more.page);
        self.file.extend(more.file);
        self.wrong += more.wrong;
        self.complaint = self.complaint.take().or(more.complaint);
    }
}

/// Asks the targets in turn, `rate` requests a second for `time`: of each `of` requests one is for
/// a file.
pub(super) async fn ask(
    targets: &[(Target, Target)],
    rate: f64,
    time: Duration,
    of: usize,
) -> anyhow::Result<Answers> {
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let begin = Instant::now() + Duration::from_millis(5);
    let permits = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY));
    let mut tasks = Vec::new();
    let count = (rate * time.as_secs_f64()) as usize;
    let mut turns = targets.iter().cycle();
    for number in 0..count {
        let due = begin + Duration::from_secs_f64(number as f64 / rate);
        tokio::time::sleep_until(due.into()).await;
        let (page, file) = turns.next().context("no neighbour")?;
        let kind = if number % of == 0 { Kind::File } else { Kind::Page };
        let target = if kind == Kind::File { file.clone() } else { page.clone() };
        let permit = Arc::clone(&permits)
            .try_acquire_owned()
            .with_context(|| format!("{UNDER_WAY} requests wait for an answer"))?;
        let idle = Arc::clone(&idle);
        tasks.push(aipress_kit::tasks::spawn("bench-neighbour", async move {
            let answer = one(&target, &idle).await;
            drop(permit);
            (kind, due.elapsed().as_secs_f64() * 1000.0, answer)
        }));
    }
    let mut answers = Answers::default();
    for task in tasks {
        let (kind, latency, answer) = task.await?.context("a client's task panicked")?;
        let latency = match answer {
            Ok(()) => latency,
            Err(error) => {
                answers.wrong += 1;
                answers.complaint.get_or_insert_with(|| format!("{error:#}"));
                latency.max(WRONG_MS)
            }
        };
        match kind {
            Kind::Page => answers.page.push(latency),
            Kind::File => answers.file.push(latency),
        }
    }
    Ok(answers)
}

async fn one(target: &Target, idle: &Mutex<Vec<Connection>>) -> anyhow::Result<()> {
    let at_hand = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut connection = match at_hand.filter(Connection::is_usable) {
        Some(connection) => connection,
        None => Connection::open(target.address).await?,
    };
    connection.expect(target).await?;
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    Ok(())
}
