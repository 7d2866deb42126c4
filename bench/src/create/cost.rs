//! CPU time that creations take, by kind of unit.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::platform::Platform;

/// CPU seconds by kind, at a moment.
pub(super) struct Look {
    at: Instant,
    cpu_s: BTreeMap<String, f64>,
}

/// Looks now.
pub(super) async fn look(platform: &Platform) -> anyhow::Result<Look> {
    Ok(Look { at: Instant::now(), cpu_s: platform.cpu_s().await? })
}

/// What a set of creations took.
#[derive(Default)]
pub(super) struct Cost {
    /// CPU milliseconds by kind, for each span and creation.
    spans: Vec<BTreeMap<String, f64>>,
    wall_ms: Vec<f64>,
}

impl Cost {
    /// Adds the span between two looks, in which there were `creations`.
    pub(super) fn add(&mut self, before: &Look, after: &Look, creations: usize) {
        let each = |seconds: f64| seconds * 1000.0 / creations as f64;
        let span = after.cpu_s.iter().map(|(kind, seconds)| {
            let more = seconds - before.cpu_s.get(kind).copied().unwrap_or_default();
            (kind.clone(), each(more))
        });
        self.spans.push(span.collect());
        self.wall_ms.push(each((after.at - before.at).as_secs_f64()));
    }

    /// The mean for each creation, by kind.
    pub(super) fn each_ms(&self) -> BTreeMap<String, f64> {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (kind, ms) in self.spans.iter().flatten() {
            *sums.entry(kind.clone()).or_default() += ms / self.spans.len() as f64;
        }
        sums
    }

    /// Some kinds together, for each span.
    pub(super) fn of(&self, kinds: &[&str]) -> Vec<f64> {
        let sum = |span: &BTreeMap<String, f64>| {
            kinds.iter().filter_map(|kind| span.get(*kind)).sum::<f64>()
        };
        self.spans.iter().map(sum).collect()
    }

    /// The mean time for each creation.
    pub(super) fn wall_ms(&self) -> f64 {
        self.wall_ms.iter().sum::<f64>() / self.wall_ms.len().max(1) as f64
    }
}
