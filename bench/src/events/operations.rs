//! Operations of one site, one after the other, each followed by many from its acceptance to its end.

use std::time::Duration;

use aipress_api::client::ApiClient;
use anyhow::Context;
use futures_util::future::try_join_all;
use tokio::sync::watch;

/// Longest time for an operation, and for all who follow it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of operations that were followed.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) operations: usize,
    pub(super) streams: usize,
    pub(super) events: usize,
    /// Streams with a gap, something twice, or without the end.
    pub(super) faulty: usize,
}

impl Followed {
    pub(super) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.streams += other.streams;
        self.events += other.events;
        self.faulty += other.faulty;
    }
}

/// Suspends and resumes `site` until `done`.
pub(super) async fn operate(
    api: ApiClient,
    site: String,
    followers: usize,
    done: watch::Receiver<bool>,
) -> anyhow::Result<Followed> {
    let mut all = Followed::default();
    for verb in ["suspend", "resume"].into_iter().cycle() {
        // Left as it was found.
        if *done.borrow() && verb == "suspend" {
            break;
        }
        let accepted =
            api.tenant_verb(&site, verb).await.with_context(|| format!("{verb} {site}"))?;
        let id = accepted.operation.id.to_string();
        let streams = try_join_all((0..followers).map(|_| follow(&api, &id)));
        let streams = tokio::time::timeout(PATIENCE, streams).await.context(verb)??;
        all.operations += 1;
        for (seqs, ended) in streams {
            all.streams += 1;
            all.events += seqs.len();
            let whole = seqs.iter().copied().eq(1..=seqs.len() as u64);
            all.faulty += usize::from(!whole || !ended);
        }
    }
    Ok(all)
}

/// The numbers of an operation's events, and whether the last one was its end.
async fn follow(api: &ApiClient, id: &str) -> anyhow::Result<(Vec<u64>, bool)> {
    let mut events = api.operation_events(id);
    let (mut seqs, mut ended) = (Vec::new(), false);
    while let Some(event) = events.next().await? {
        seqs.push(event.seq);
        ended = event.operation.state.is_final();
    }
    Ok((seqs, ended))
}
